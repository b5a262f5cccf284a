package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/function/replay/retry"
	"github.com/aerosink/aerosink/function/sink"
)

// Destination returns a sink that POSTs changes to u, which is our function or another
// endpoint that answers 2xx when it has stored them. Changes in JSON are sent as lines,
// many in a request. A change in another format, which a dead letter may hold, is sent
// alone and unchanged.
//
// A token other than "" is sent as a bearer token. Timeout bounds one request.
func Destination(u *url.URL, token string, timeout time.Duration) sink.Spec {
	return sink.Spec{URL: u.Redacted(), New: func(context.Context) (sink.Sink, error) {
		return &destination{u.String(), token, &http.Client{
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}, nil
	}}
}

type destination struct {
	url, token string
	client     *http.Client
}

// Close implements [sink.Sink].
func (d *destination) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

// Put implements [sink.Sink].
func (d *destination) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	verdicts := make(sink.Verdicts, len(b.Changes))
	for at := 0; at < len(b.Changes); {
		n := countRequest(b.Changes[at:])
		d.post(ctx, b.Changes[at:at+n], verdicts[at:at+n])
		at += n
	}
	return verdicts
}

// countRequest returns how many changes, from the first on, go into one request.
func countRequest(changes []format.Parsed) int {
	n := 0
	for n < len(changes) && formats.MediaTypeOf(changes[n].Format) == format.MediaJSON {
		n++
	}
	return max(n, 1)
}

// post sends changes in a request. If that is refused permanently, it sends each half alone,
// to find the changes that are refused.
func (d *destination) post(ctx context.Context, changes []format.Parsed, verdicts sink.Verdicts) {
	body, mediaType, err := bodyOf(changes)
	if err == nil {
		err = d.send(ctx, body, mediaType, verdicts)
	}
	if half := len(changes) / 2; half > 0 && change.IsPermanent(err) {
		d.post(ctx, changes[:half], verdicts[:half])
		d.post(ctx, changes[half:], verdicts[half:])
		return
	}
	if err != nil {
		for i := range verdicts {
			verdicts[i] = err
		}
	}
}

// bodyOf returns the body of a request with the changes.
func bodyOf(changes []format.Parsed) (body []byte, mediaType string, err error) {
	if mediaType := formats.MediaTypeOf(changes[0].Format); mediaType != format.MediaJSON {
		return changes[0].Data, mediaType, nil
	}
	for i := range changes {
		if body, err = jsonformat.AppendLine(body, &changes[i]); err != nil {
			return nil, "", err
		}
		body = append(body, '\n')
	}
	return body, format.MediaNDJSON, nil
}

// send sends a request. It returns the error of all changes, or sets verdicts from the
// report of the response.
func (d *destination) send(ctx context.Context, body []byte, mediaType string, verdicts sink.Verdicts) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mediaType)
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return errors.Unwrap(err) // without the URL, which may hold a secret
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	return readResponse(resp, response, verdicts)
}

// maxResponse bounds what is read of a response, in bytes: the report on a chunk.
const maxResponse = 1 << 20

// readResponse returns the error of all changes, or sets verdicts from the report in body.
func readResponse(resp *http.Response, body []byte, verdicts sink.Verdicts) error {
	err := fmt.Errorf("the destination answers %s", resp.Status)
	if wait := report.RetryAfter(resp.Header.Get("Retry-After"), time.Now(), maxWait); wait > 0 {
		err = &retry.AfterError{Err: err, Wait: wait}
	}
	if report.IsPermanent(resp.StatusCode) {
		return change.Permanent(err)
	}
	if r := report.Parse(resp.Header, body, len(verdicts)); r != nil {
		for _, i := range r.Dead {
			verdicts[i] = change.Permanent(errors.New("the destination has stored it as a dead letter"))
		}
		for _, i := range r.Retry {
			verdicts[i] = err
		}
		return nil
	}
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return err
}

// maxWait bounds the Retry-After of a destination.
const maxWait = 5 * time.Minute
