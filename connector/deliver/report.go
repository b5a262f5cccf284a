package deliver

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	"github.com/aerosink/aerosink/connector/change"
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
	return &r
}

// verdicts returns the verdict on each change, given that on the request and
// whether it refuses for good what the report names.
func (r *report) verdicts(err error, refused bool) []error {
	each := make([]error, r.Changes)
	for _, i := range r.Retry {
		each[i] = fmt.Errorf("%w: %s", err, r.Reason)
		if refused {
			each[i] = change.Permanent(each[i])
		}
	}
	return each
}
