package function

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/function/problem"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// stored is the body of a 200.
type stored struct {
	Changes int `json:"changes"`
	Stored  int `json:"stored"`
	Stale   int `json:"stale,omitempty"` // only with a fence
}

// acceptsJSON reports whether the client accepts a body in JSON. Connectors send no Accept
// header and get no body; curl sends */*.
func acceptsJSON(header http.Header) bool {
	for _, value := range header["Accept"] {
		for element := range strings.SplitSeq(value, ",") {
			switch mediaType, _, _ := strings.Cut(element, ";"); strings.ToLower(strings.TrimSpace(mediaType)) {
			case "application/json", "application/*", "*/*":
				return true
			}
		}
	}
	return false
}

// problemOf returns the problem to answer with, nil for a plain 200.
func problemOf(o *store.Outcome, err error) *problem.Problem {
	var p *problem.Problem
	switch {
	case errors.As(err, &p):
		return p
	case err != nil:
		return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}
	case o == nil || o.AllStored():
		return nil
	}
	rep, first := reportOn(o)
	p = &problem.Problem{Status: statusOf(o, first)}
	switch p.Status {
	case http.StatusOK:
		p.Detail = share(len(rep.Dead), rep.Changes, "became a dead letter", "became dead letters", first[store.Dead])
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		p.Detail = share(len(rep.Retry), rep.Changes, "is not durable", "are not durable", first[store.Retry])
	default:
		p.Detail = share(len(rep.Retry), rep.Changes, "cannot be stored", "cannot be stored", first[store.Refused])
	}
	if p.Status == http.StatusTooManyRequests {
		p.Header = http.Header{"Retry-After": {"1"}}
	}
	if rep.Reason = p.Detail; rep.Changes > 1 || p.Status == http.StatusOK {
		p.Report = rep
	}
	return p
}

// share says what is the matter with n of all changes, in the singular if n is 1, and why
// with the first of them.
func share(n, all int, one, several string, why error) string {
	what := several
	if n == 1 {
		what = one
	}
	return fmt.Sprintf("%d of %s %s: %v", n, plural.Of(all, "change"), what, why)
}

// reportOn returns the report on the changes, without a reason, and the first error that
// led to each result.
func reportOn(o *store.Outcome) (rep *report.Report, first [store.NumResults]error) {
	rep = &report.Report{Changes: o.Changes(), Retry: []int{}, Dead: []int{}}
	for i := range rep.Changes {
		result := o.Of(i)
		switch result {
		case store.Stored, store.Stale:
			continue
		case store.Dead:
			rep.Dead = append(rep.Dead, i)
		default:
			rep.Retry = append(rep.Retry, i)
		}
		if first[result] == nil {
			first[result] = fmt.Errorf("change %d: %w", i, o.Err(i))
		}
	}
	return rep, first
}

// statusOf returns the status of the answer. It is 429 or 413 only if every error of the kind
// is an overload or a change that is too large.
func statusOf(o *store.Outcome, first [store.NumResults]error) int {
	switch {
	case first[store.Retry] != nil && allAre(o, store.Retry, sink.ErrOverloaded):
		return http.StatusTooManyRequests
	case first[store.Retry] != nil:
		return http.StatusServiceUnavailable
	case first[store.Refused] != nil && allAre(o, store.Refused, format.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case first[store.Refused] != nil:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// allAre reports whether every error that led to the result wraps cause.
func allAre(o *store.Outcome, r store.Result, cause error) bool {
	for i := range o.Changes() {
		if o.Of(i) == r && !errors.Is(o.Err(i), cause) {
			return false
		}
	}
	return true
}

const (
	// answerTimeout is how long a client may take to read an answer.
	answerTimeout = 10 * time.Second

	// lingerTimeout is how long to wait for the rest of a refused body.
	lingerTimeout = 500 * time.Millisecond
)

// prepareConnection prepares the connection for an answer, a plain 200 if p is nil. It limits
// the time that the client has to read the answer and, over HTTP/1.1, to send the rest of a
// refused body. Over HTTP/2 the stream just ends, and an answer without a body cannot block.
func prepareConnection(w http.ResponseWriter, req *http.Request, p *problem.Problem) {
	control := http.NewResponseController(w)
	if req.ProtoMajor == 1 || p != nil {
		_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // a test's recorder has none
	}
	if req.ProtoMajor > 1 || p == nil || p.Status == http.StatusOK {
		return
	}
	switch p.Status {
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusRequestHeaderFieldsTooLarge:
		w.Header().Set("Connection", "close")
	}
	if p.Status != http.StatusRequestTimeout {
		_ = control.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}
