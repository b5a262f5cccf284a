package deliver

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
)

// mediaReport is the media type of an answer that speaks of each change of a
// request. Our function gives it; a destination that does not is taken to mean all
// of them.
const mediaReport = "application/vnd.aerosink.report+json"

// report says which changes of a request have to be sent again. Of the others the
// destination has taken care: they are where they belong, or in its dead letters.
type report struct {
	Changes int    `json:"changes"`
	Retry   []int  `json:"retry"` // by their place in the request, from 0
	Reason  string `json:"reason"`
}

// longestReason is how much of a reason is worth reading, in characters.
const longestReason = 200

// parseReport returns the report in an answer about n changes, or nil when there
// is none that can be relied upon.
func parseReport(header http.Header, body []byte, n int) *report {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || mediaType != mediaReport {
		return nil
	}
	var r report
	if json.Unmarshal(body, &r) != nil || r.Changes != n || len(r.Retry) == 0 {
		return nil
	}
	for _, i := range r.Retry {
		if i < 0 || i >= n {
			return nil
		}
	}
	r.Reason = fmt.Sprintf("%.*s", longestReason, r.Reason)
	return &r
}

// names reports for each change whether the report says to send it again.
func (r *report) names() []bool {
	named := make([]bool, r.Changes)
	for _, i := range r.Retry {
		named[i] = true
	}
	return named
}
