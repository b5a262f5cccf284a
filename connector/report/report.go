// Package report defines what an HTTP response says about the changes of a request: the
// report in its body, the meaning of its status, Retry-After, and the limit on refusals. The
// function writes reports; the connector and a replay read them.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// MediaType is the media type of a response whose body is a [Report].
const MediaType = "application/vnd.aerosink.report+json"

// Report says which changes of a request were not stored. Changes in neither list are
// stored. Indexes count from 0, in the order of the changes in the request.
type Report struct {
	Changes int    `json:"changes"` // in the request
	Retry   []int  `json:"retry"`   // not stored: to be sent again, or, with a permanent status, refused
	Dead    []int  `json:"dead"`    // stored as dead letters
	Reason  string `json:"reason"`  // contains no user data
}

// maxReason is the most characters of a reason that are kept.
const maxReason = 200

// Parse returns the report in a response to a request of n changes. It returns nil if there
// is none, or if it is not about n changes.
func Parse(header http.Header, body []byte, n int) *Report {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || mediaType != MediaType {
		return nil
	}
	var r Report
	if json.Unmarshal(body, &r) != nil || r.Changes != n || len(r.Retry)+len(r.Dead) == 0 {
		return nil
	}
	for _, list := range [][]int{r.Retry, r.Dead} {
		for _, i := range list {
			if i < 0 || i >= n {
				return nil
			}
		}
	}
	r.Reason = fmt.Sprintf("%.*s", maxReason, r.Reason)
	return &r
}

// Retried returns, for each change, whether it is in Retry.
func (r *Report) Retried() []bool {
	retried := make([]bool, r.Changes)
	for _, i := range r.Retry {
		retried[i] = true
	}
	return retried
}

// IsPermanent reports whether a status means that the destination will never accept the
// body. Every other failure may be temporary, for example because of a wrong configuration.
func IsPermanent(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// RetryAfter parses the value of a Retry-After header, seconds or a date, and returns how
// long to wait from now, at most limit. It returns 0 if there is nothing to wait for.
func RetryAfter(value string, now time.Time, limit time.Duration) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		wait = limit
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), limit)
}

// MaxRefusals is how many refusals in a row are taken as permanent.
const MaxRefusals = 100

// Refusals counts refusals in a row. A destination that refuses everything is most likely
// misconfigured, and all its changes would become dead letters. So after [MaxRefusals] in a
// row, refusals count as failures to be retried, until something is accepted. Meanwhile the
// database keeps the changes.
//
// The zero Refusals is ready to use, also by several goroutines at once.
type Refusals struct{ inRow atomic.Int64 }

// Accepted records that something was accepted, which resets the count.
func (r *Refusals) Accepted() {
	if r.inRow.Load() != 0 {
		r.inRow.Store(0)
	}
}

// Refused counts a refusal, and reports whether it is to be taken as permanent.
func (r *Refusals) Refused() bool { return r.inRow.Add(1) <= MaxRefusals }

// TooMany reports whether the next refusal would not be taken as permanent.
func (r *Refusals) TooMany() bool { return r.inRow.Load() >= MaxRefusals }
