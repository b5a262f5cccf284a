package post

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aerosink/aerosink/connector/report"
)

// Response is the outcome of a request.
type Response struct {
	Status     int            // 0 if there was no complete response
	Err        error          // nil if the destination has all changes
	Report     *report.Report // on each change, if Retry lists some; may be nil
	Permanent  bool           // the destination will never accept these changes
	Overloaded bool           // the destination is overloaded
	Failed     bool           // the endpoint did not respond, or not completely
	TimedOut   bool           // the request was made, and took the destination too long
	Resume     time.Time      // no request before then; zero without a Retry-After
}

// maxHold limits how long a Retry-After can stop the requests. If the destination is still
// overloaded then, it can say so again.
const maxHold = time.Minute

// maxResponse limits how much of a response is read, in bytes, so that a destination cannot
// keep sending for ever. A longer response is abandoned; over HTTP/1.1 that costs the
// connection.
const maxResponse = 1 << 20

// readBody drains r, so that the connection can be used again. It returns the body, unless
// discard is set.
func readBody(r io.Reader, discard bool) ([]byte, error) {
	r = io.LimitReader(r, maxResponse)
	if discard {
		_, err := io.Copy(io.Discard, r)
		return nil, err
	}
	return io.ReadAll(r)
}

// failure interprets a response that is not a success, to a request of n changes.
func failure(resp *http.Response, body []byte, n int, now time.Time) *Response {
	r := &Response{Status: resp.StatusCode, Permanent: report.IsPermanent(resp.StatusCode)}
	if rep := report.Parse(resp.Header, body, n); rep != nil && len(rep.Retry) > 0 {
		r.Report = rep
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		r.Overloaded, r.TimedOut = true, true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Overloaded = true
		if wait := report.RetryAfter(resp.Header.Get("Retry-After"), now, maxHold); wait > 0 {
			r.Resume = now.Add(wait)
		}
	}
	return r
}

// redirect returns where a response redirects to, for an error. Redirects are not followed:
// most of them would turn the POST into a GET without a body.
func redirect(resp *http.Response) string {
	if to := location(resp); to != "" {
		return ", redirects to " + to
	}
	return ""
}

// location returns where a response redirects to, without user and query, or "" if it does
// not.
func location(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil || resp.StatusCode/100 != 3 || resp.StatusCode == http.StatusNotModified {
		return ""
	}
	return withoutSecrets(to)
}

// noResponse returns the outcome of a request without a complete response. err is what to
// report, cause the transport's error.
func noResponse(err, cause error) *Response {
	late := errors.Is(cause, context.DeadlineExceeded)
	return &Response{Err: err, Failed: true, Overloaded: late, TimedOut: late && !isDialError(cause)}
}
