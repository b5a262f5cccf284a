package function

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/aerosink/aerosink/connector/change"
)

// problem is an answer that is not 200, as RFC 9457 has it, or a report. Its
// detail never holds users' data.
type problem struct {
	Status int
	Detail string
	Header http.Header // beside Content-Type; nil is none
	Report *report
}

func (p *problem) Error() string { return p.Detail }

// report says which changes of a request a sender that understands it need not
// send again: all but those under retry. With a status of 400 or 413 those will be
// refused again.
type report struct {
	Changes int    `json:"changes"`
	Retry   []int  `json:"retry"`
	Dead    []int  `json:"dead"`
	Reason  string `json:"reason"`
}

// Media types of answers.
const (
	mediaProblem = "application/problem+json"
	mediaReport  = "application/vnd.aerosink.report+json"
)

func (p *problem) write(w http.ResponseWriter) {
	mediaType, body := mediaProblem, any(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(p.Status), p.Status, p.Detail})
	if p.Report != nil {
		mediaType, body = mediaReport, p.Report
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

// answer makes the answer to a request of the verdicts on its changes: nil is 200.
func answer(verdicts []error) error {
	r := report{Changes: len(verdicts), Retry: []int{}, Dead: []int{}}
	var again, never error
	for i, err := range verdicts {
		switch {
		case err == nil:
			continue
		case !change.IsPermanent(err):
			again = cmp.Or(again, fmt.Errorf("change %d: %w", i, err))
		default:
			never = cmp.Or(never, fmt.Errorf("change %d: %w", i, err))
		}
		r.Retry = append(r.Retry, i)
	}
	p := &problem{Status: http.StatusServiceUnavailable}
	switch {
	case len(r.Retry) == 0:
		return nil
	case again != nil:
		p.Detail = fmt.Sprintf("%d of %d changes are not durable: %v", len(r.Retry), r.Changes, again)
	default:
		p.Status = http.StatusBadRequest
		p.Detail = fmt.Sprintf("%d of %d changes cannot be stored: %v", len(r.Retry), r.Changes, never)
	}
	if r.Changes > 1 {
		r.Reason = p.Detail
		p.Report = &r
	}
	return p
}
