package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/aerosink/aerosink/connector/report"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// problem is an answer that is not 200, as RFC 9457 has it, or a report, which a
// 200 may be too. Its detail never holds users' data.
type problem struct {
	Status int
	Detail string
	Header http.Header // beside Content-Type; nil is none
	Report *report.Report
}

func (p *problem) Error() string { return p.Detail }

// mediaProblem is the media type of RFC 9457.
const mediaProblem = "application/problem+json"

func (p *problem) write(w http.ResponseWriter) {
	mediaType, body := mediaProblem, any(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(p.Status), p.Status, p.Detail})
	if p.Report != nil {
		mediaType, body = report.MediaType, p.Report
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("function: an answer cannot be written as JSON: " + err.Error())
	}
	maps.Copy(w.Header(), p.Header)
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // who is gone needs no answer
}

// soon is how long a sender should wait when there is no room, in seconds.
const soon = "1"

// outcome is what became of the changes of a request.
type outcome struct {
	changes  int
	verdicts sink.Verdicts // nil, or one on each: nil is stored in every sink
	buries   bool          // what has a permanent verdict is in the dead letters
}

// result is what became of one change.
type result int

const (
	stored result = iota
	retried
	dead    // in the dead letters
	refused // for good, for there are no dead letters
	numResults
)

var resultNames = [numResults]string{"stored", "retry", "dead", "refused"}

// of returns what became of change i.
func (o *outcome) of(i int) result {
	switch {
	case o.verdicts == nil || o.verdicts[i] == nil:
		return stored
	case !change.IsPermanent(o.verdicts[i]):
		return retried
	case o.buries:
		return dead
	}
	return refused
}

// isSettled reports whether the answer is 200.
func (o *outcome) isSettled() bool {
	for i := range o.verdicts {
		if r := o.of(i); r == retried || r == refused {
			return false
		}
	}
	return true
}

// answer returns the answer to the request; nil is a 200 that has nothing to say.
func (o *outcome) answer() error {
	if o.verdicts == nil {
		return nil
	}
	r, first := o.report()
	p := &problem{Status: o.status(first)}
	switch p.Status {
	case http.StatusOK:
		p.Detail = fmt.Sprintf("%d of %d changes went to the dead letters: %v", len(r.Dead), r.Changes, first[dead])
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		p.Detail = fmt.Sprintf("%d of %d changes are not durable: %v", len(r.Retry), r.Changes, first[retried])
	default:
		p.Detail = fmt.Sprintf("%d of %d changes cannot be stored: %v", len(r.Retry), r.Changes, first[refused])
	}
	if p.Status == http.StatusTooManyRequests {
		p.Header = http.Header{"Retry-After": {soon}}
	}
	if r.Reason = p.Detail; r.Changes > 1 || p.Status == http.StatusOK {
		p.Report = r
	}
	return p
}

// report returns the report on the changes, without a reason, and the first verdict
// that led to each result.
func (o *outcome) report() (r *report.Report, first [numResults]error) {
	r = &report.Report{Changes: o.changes, Retry: []int{}, Dead: []int{}}
	for i, err := range o.verdicts {
		result := o.of(i)
		switch result {
		case stored:
			continue
		case dead:
			r.Dead = append(r.Dead, i)
		default:
			r.Retry = append(r.Retry, i)
		}
		if first[result] == nil {
			first[result] = fmt.Errorf("change %d: %w", i, err)
		}
	}
	return r, first
}

// status returns the status of the answer. That there is no room, or that changes
// are too large, is said where nothing else is wrong.
func (o *outcome) status(first [numResults]error) int {
	switch {
	case first[retried] != nil && o.all(retried, sink.ErrOverloaded):
		return http.StatusTooManyRequests
	case first[retried] != nil:
		return http.StatusServiceUnavailable
	case first[refused] != nil && o.all(refused, format.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case first[refused] != nil:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// all reports whether every verdict that led to the result wraps the error.
func (o *outcome) all(r result, cause error) bool {
	for i, err := range o.verdicts {
		if o.of(i) == r && !errors.Is(err, cause) {
			return false
		}
	}
	return true
}
