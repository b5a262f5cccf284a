package function

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// fake is a sink that keeps the changes for which verdict returns nil.
type fake struct {
	verdict func(p *format.Parsed) error // if nil, all changes are stored

	mu      sync.Mutex
	stored  []string        // the bytes of changes
	changes []change.Change // without bins and keys
	dead    []sink.DeadLetter
	puts    int
}

func (f *fake) Put(_ context.Context, b sink.Batch) (verdicts sink.Verdicts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts++
	for i := range b.Changes {
		p := &b.Changes[i]
		var err error
		if f.verdict != nil {
			err = f.verdict(p)
		}
		verdicts.Set(len(b.Changes), i, err)
		if err != nil {
			continue
		}
		f.stored = append(f.stored, string(p.Data))
		f.changes = append(f.changes, change.Change{Namespace: strings.Clone(p.Change.Namespace), Set: strings.Clone(p.Change.Set), Digest: p.Change.Digest, LUT: p.Change.LUT})
		if b.DeadLetters != nil {
			f.dead = append(f.dead, b.DeadLetters[i])
		}
	}
	return verdicts
}

func (f *fake) Close() error { return nil }

// failOn returns a verdict function: err for changes that contain text, nil for others.
func failOn(text string, err error) func(*format.Parsed) error {
	return func(p *format.Parsed) error {
		if strings.Contains(string(p.Data), text) {
			return err
		}
		return nil
	}
}

// receiverOf returns a Receiver with these sinks, as if the environment had named them.
// deadLetters may be nil.
func receiverOf(t *testing.T, deadLetters *fake, sinks ...*fake) *Receiver {
	t.Helper()
	var c store.Config
	for i, f := range sinks {
		c.Sinks = append(c.Sinks, specOf(fmt.Sprint("fake:", i), f))
	}
	if deadLetters != nil {
		spec := specOf("fake:dead-letters", deadLetters)
		c.DeadLetters = &spec
	}
	return receiverWith(t, c)
}

// specOf returns the spec of a sink that is open already.
func specOf(url string, s sink.Sink) sink.Spec {
	return sink.Spec{URL: url, New: func(context.Context) (sink.Sink, error) { return s, nil }}
}

// receiverWith returns a Receiver with these sinks and default settings.
func receiverWith(t *testing.T, c store.Config) *Receiver {
	t.Helper()
	e := settings.Environment{Getenv: func(name string) string { return map[string]string{"SINKS": "log:"}[name] }, Sinks: google.Sinks()}
	s, err := e.Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := New(e, slog.New(slog.DiscardHandler))
	r.partial = &ready{s, store.New(c)}
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	return r
}

// post posts lines of JSON.
func post(h http.Handler, lines ...string) *httptest.ResponseRecorder {
	return postAs(h, format.MediaNDJSON, strings.Join(lines, "\n"))
}

func postAs(h http.Handler, mediaType, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header.Set("Content-Type", mediaType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// line returns a change as a line of JSON. Each i is a different record.
func line(i int) string {
	return fmt.Sprintf(`{"msg":"write","key":["shop","s","%022d00000=",%d],"gen":1,"exp":0,"lut":1795350896789,"bins":[]}`, i, i)
}

// reportOf parses the report in an answer.
func reportOf(t *testing.T, w *httptest.ResponseRecorder) report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Header().Get("Content-Type") != report.MediaType {
		t.Fatalf("not a report: %s %s: %v", w.Header().Get("Content-Type"), w.Body, err)
	}
	return r
}
