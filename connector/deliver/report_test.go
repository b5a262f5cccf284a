package deliver_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
)

// A report gives each change its own verdict if it is valid and fits the request.
func TestReport_verdicts(t *testing.T) {
	const media = "application/vnd.aerosink.report+json; charset=utf-8"
	for _, tt := range []struct {
		name, media, response string
		retried               []int
	}{
		{"some refused", media, `400{"changes":3,"retry":[0,2],"dead":[],"reason":"no"}`, []int{0, 2}},
		{"some", media, `{"changes":3,"retry":[0,2],"dead":[1],"reason":"full"}`, []int{0, 2}},
		{"all", media, `{"changes":3,"retry":[0,1,2],"reason":"full"}`, []int{0, 1, 2}},
		{"none, in a response that is an error", media, `{"changes":3,"retry":[]}`, []int{0, 1, 2}},
		{"wrong number of changes", media, `{"changes":4,"retry":[0]}`, []int{0, 1, 2}},
		{"index too large", media, `{"changes":3,"retry":[3]}`, []int{0, 1, 2}},
		{"negative index", media, `{"changes":3,"retry":[-1]}`, []int{0, 1, 2}},
		{"truncated", media, `{"changes":3,"retry":[0`, []int{0, 1, 2}},
		{"other media type", "application/json", `{"changes":3,"retry":[0]}`, []int{0, 1, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := make(chan struct{})
			var calls atomic.Int64
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					<-first
					return
				}
				w.Header().Set("Content-Type", tt.media)
				text, refused := strings.CutPrefix(tt.response, "400")
				w.WriteHeader(map[bool]int{true: 400, false: 503}[refused])
				_, _ = io.WriteString(w, text)
			})
			d := open(t, config(t, s.URL))
			stream := batches(10, 1000)
			send(d, stream, 0, "first\n")
			changetest.WaitFor(t, "a request", func() bool { return calls.Load() > 0 })
			verdicts := []verdict{send(d, stream, 0, "0\n"), send(d, stream, 0, "1\n"), send(d, stream, 0, "2\n")}
			close(first)
			for i, v := range verdicts {
				err := v.wait(t)
				if retried := slices.Contains(tt.retried, i); retried != (err != nil) || err != nil && change.IsPermanent(err) != strings.HasPrefix(tt.response, "400") {
					t.Errorf("change %d: %v", i, err)
				}
			}
		})
	}
}
