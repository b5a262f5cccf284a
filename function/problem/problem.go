// Package problem writes HTTP responses other than a plain 200: problem details, as in RFC
// 9457, or a report on each change of the request.
package problem

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/aerosink/aerosink/connector/report"
)

// MediaType is the media type of a problem without a report.
const MediaType = "application/problem+json"

// Problem is a response that is not a plain 200. It is an error, so that the functions that
// handle a request can return it.
type Problem struct {
	Status int
	Detail string         // for people; never holds user data
	Header http.Header    // besides Content-Type; may be nil
	Report *report.Report // nil if the problem concerns the whole request
}

func (p *Problem) Error() string { return p.Detail }

// Write writes the response. An error of the connection is ignored: the client may have
// gone.
func (p *Problem) Write(w http.ResponseWriter) {
	mediaType, body := MediaType, any(struct {
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
		panic("problem: a response cannot be written as JSON: " + err.Error())
	}
	maps.Copy(w.Header(), p.Header)
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n'))
}
