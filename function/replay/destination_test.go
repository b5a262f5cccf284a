package replay_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// request is what a destination was sent.
type request struct{ mediaType, authorization, body string }

// serve returns a destination that responds as answer does, and the requests that it got.
func serve(t *testing.T, token string, answer func(w http.ResponseWriter, body string)) (sink.Spec, func() []request) {
	t.Helper()
	var mu sync.Mutex
	var requests []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		requests = append(requests, request{r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)})
		mu.Unlock()
		answer(w, string(body))
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL + "/ingest?key=secret")
	if err != nil {
		t.Fatal(err)
	}
	return replay.Destination(u, token, 30*time.Second), func() []request {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(requests)
	}
}

// verdictsOf returns a character for each verdict: s is stored, r refused, a to send again.
func verdictsOf(verdicts sink.Verdicts) string {
	text := ""
	for _, v := range verdicts {
		switch {
		case v == nil:
			text += "s"
		case change.IsPermanent(v):
			text += "r"
		default:
			text += "a"
		}
	}
	return text
}

const mediaReport = "application/vnd.aerosink.report+json"

// Responses to five changes, of which the third is refused.
func TestDestination_responses(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) { w.WriteHeader(code) }
	}
	reported := func(code int, report string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", mediaReport+"; charset=utf-8")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, report)
		}
	}
	for name, tt := range map[string]struct {
		answer   func(http.ResponseWriter, string)
		want     string
		requests int
	}{
		"200": {status(200), "sssss", 1},
		"204": {status(204), "sssss", 1},
		"302": {status(302), "aaaaa", 1},
		"401": {status(401), "aaaaa", 1},
		"403": {status(403), "aaaaa", 1},
		"404": {status(404), "aaaaa", 1},
		"408": {status(408), "aaaaa", 1},
		"429": {status(429), "aaaaa", 1},
		"500": {status(500), "aaaaa", 1},
		"503": {status(503), "aaaaa", 1},
		"400": {status(400), "rrrrr", 9},
		"400 of the third": {func(w http.ResponseWriter, body string) {
			if strings.Contains(body, `"i":2}`) {
				w.WriteHeader(http.StatusBadRequest)
			}
		}, "ssrss", 5},
		"503 and a report":           {reported(503, `{"changes":5,"retry":[0,4],"dead":[2],"reason":"x"}`), "asrsa", 1},
		"429 and a report":           {reported(429, `{"changes":5,"retry":[1]}`), "sasss", 1},
		"200 and a report":           {reported(200, `{"changes":5,"retry":[],"dead":[2]}`), "ssrss", 1},
		"a report of other changes":  {reported(503, `{"changes":4,"retry":[1]}`), "aaaaa", 1},
		"a report of a sixth change": {reported(503, `{"changes":5,"retry":[5]}`), "aaaaa", 1},
		"a report of nothing":        {reported(503, `{"changes":5,"retry":[]}`), "aaaaa", 1},
		"not a report":               {reported(503, `oops`), "aaaaa", 1},
		"no response":                {func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, "aaaaa", 1},
	} {
		t.Run(name, func(t *testing.T) {
			spec, requests := serve(t, "", tt.answer)
			verdicts := sinktest.Open(t, spec).Put(t.Context(), sinktest.Batch("s", 5))
			if got := verdictsOf(verdicts); got != tt.want || len(requests()) != tt.requests {
				t.Errorf("%s after %d requests, want %s after %d; %v", got, len(requests()), tt.want, tt.requests, verdicts)
			}
			for _, v := range verdicts {
				if v != nil && strings.Contains(v.Error(), "secret") {
					t.Errorf("the error holds the URL: %v", v)
				}
			}
		})
	}
}

// JSON is sent as lines, other formats alone and unchanged.
func TestDestination_bodies(t *testing.T) {
	spec, requests := serve(t, "t0ken", func(http.ResponseWriter, string) {})
	b := sinktest.Batch("s", 6)
	b.Changes[1].Data = []byte("{\n\"i\": 1}")
	b.Changes[2].Data, b.Changes[2].Format = []byte("\x93"), "message-pack"
	b.Changes[3].Data, b.Changes[3].Format = []byte("\x02"), "xdr"
	if verdicts := sinktest.Open(t, spec).Put(t.Context(), b); verdictsOf(verdicts) != "ssssss" {
		t.Error(verdicts)
	}
	const bearer = "Bearer t0ken"
	want := []request{
		{format.MediaNDJSON, bearer, "{\"i\":0}\n{\"i\":1}\n"},
		{format.MediaMessagePack, bearer, "\x93"},
		{format.MediaOctets, bearer, "\x02"},
		{format.MediaNDJSON, bearer, "{\"i\":4}\n{\"i\":5}\n"},
	}
	if diff := cmp.Diff(want, requests(), cmp.AllowUnexported(request{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Only what failed is sent again, and not before the time in Retry-After.
func TestDestination_retry(t *testing.T) {
	var times []time.Time
	answers := []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusOK}
	spec, requests := serve(t, "", func(w http.ResponseWriter, _ string) {
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "1")
		}
		if len(times) == 2 {
			w.Header().Set("Content-Type", mediaReport)
		}
		w.WriteHeader(answers[len(times)-1])
		if len(times) == 2 {
			_, _ = io.WriteString(w, `{"changes":4,"retry":[2]}`)
		}
	})
	changes := orders(4)
	o, out := options(store(t, map[string][]byte{"a.ndjson": lines(t, changes)}), spec)
	run(t, o)
	var sizes []int
	for _, r := range requests() {
		sizes = append(sizes, strings.Count(r.body, "\n"))
	}
	if want := []int{4, 4, 1}; !slices.Equal(sizes, want) || requests()[2].body != string(lines(t, changes)[len(lines(t, changes[:2])):len(lines(t, changes[:3]))]) {
		t.Errorf("requests of %v changes, want %v; the last of %q", sizes, want, requests()[len(sizes)-1].body)
	}
	if waited := times[1].Sub(times[0]); waited < time.Second {
		t.Errorf("retried after %s", waited)
	}
	if want := "store changes: retrying in 1s: the destination answers 429 Too Many Requests"; !strings.Contains(out.String(), want) {
		t.Errorf("the output lacks %q:\n%s", want, out.String())
	}
}

// Retry-After may be a date. Long waits are cut.
func TestDestination_retryAfter(t *testing.T) {
	for name, tt := range map[string]struct{ header, want string }{
		"a date":   {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "retrying in 5m0s"},
		"long":     {"86400", "retrying in 5m0s"},
		"long ago": {"Mon, 02 Jan 2006 15:04:05 GMT", "retrying in 500ms"},
		"negative": {"-1", "retrying in 500ms"},
		"invalid":  {"soon", "retrying in 500ms"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, _ := serve(t, "", func(w http.ResponseWriter, _ string) {
				w.Header().Set("Retry-After", tt.header)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			o, out := options(store(t, map[string][]byte{"a.ndjson": lines(t, orders(1))}), spec)
			stop := interruptWhen(t, func() bool { return strings.Contains(out.String(), "retrying in ") })
			if _, err := replay.Run(stop, o); err == nil {
				t.Error("it ended")
			}
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("the output lacks %q: %s", tt.want, out.String())
			}
		})
	}
}

// If every change is refused, the number of requests is bounded.
func TestDestination_allRefused(t *testing.T) {
	n := 0
	spec, _ := serve(t, "", func(w http.ResponseWriter, _ string) {
		n++
		w.WriteHeader(http.StatusBadRequest)
	})
	o, _ := options(store(t, map[string][]byte{"a.ndjson": lines(t, orders(100))}), spec)
	s, err := runOnce(t, o)
	if err != nil || s.Refused != 100 || n >= 200 {
		t.Errorf("%s; error %v; %d requests", s, err, n)
	}
	if text := fmt.Sprint(s.Err()); !strings.Contains(text, "100 changes refused") {
		t.Error(text)
	}
}
