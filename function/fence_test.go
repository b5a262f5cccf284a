package function

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// fenced returns a Receiver with a sink and a fence.
func fenced(t *testing.T, f sink.Fence, pass bool, s *fake) *Receiver {
	t.Helper()
	return receiverWith(t, store.Config{
		Sinks: []sink.Spec{specOf("fake:0", s)},
		Fence: &sink.FenceSpec{Pass: pass, New: func(context.Context) (sink.Fence, error) { return f, nil }},
	})
}

// A stale change is answered 200 and counted, and a sender that accepts JSON is told.
func TestServeHTTP_staleChange(t *testing.T) {
	s := &fake{}
	r := fenced(t, fence.NewMemory(1<<16), false, s)
	send := func(body string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Content-Type", format.MediaNDJSON)
		req.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w
	}
	older := strings.Replace(line(0), `"lut":1795350896789`, `"lut":1795350896788`, 1)
	for _, tt := range []struct{ body, want string }{
		{line(0), `{"changes":1,"stored":1}`},
		{older + "\n" + line(0) + "\n" + line(1), `{"changes":3,"stored":1,"stale":2}`},
		{line(1), `{"changes":1,"stored":0,"stale":1}`},
	} {
		if w := send(tt.body); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != tt.want {
			t.Errorf("status %d, %s, want %s", w.Code, w.Body, tt.want)
		}
	}
	if w := post(r, older); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("a sender that accepts no JSON: status %d, %s", w.Code, w.Body)
	}
	s.verdict = failOn(line(2), errLater)
	if got := reportOf(t, post(r, line(1), line(2))); got.Changes != 2 || len(got.Retry) != 1 || got.Retry[0] != 1 {
		t.Errorf("report %+v", got)
	}
	text := shown(r)
	for _, want := range []string{`verdict="stored"} 2`, `verdict="stale"} 5`, `verdict="retry"} 1`, "unfenced_changes_total 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// brokenFence fails.
type brokenFence struct{}

func (brokenFence) Read(_ context.Context, s []sink.State) sink.Verdicts {
	return sink.All(len(s), errors.New("no route to host"))
}
func (f brokenFence) Write(ctx context.Context, s []sink.State) sink.Verdicts { return f.Read(ctx, s) }
func (brokenFence) Close() error                                              { return nil }

// While the fence fails, changes are answered 503, or stored without it: that is counted, and
// logged once a minute.
func TestServeHTTP_fenceFails(t *testing.T) {
	if w := post(fenced(t, brokenFence{}, false, &fake{}), line(0)); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "fence: read the state: no route to host") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	synctest.Test(t, func(t *testing.T) {
		r := fenced(t, brokenFence{}, true, &fake{})
		var log changetest.Output
		r.log = slog.New(slog.NewTextHandler(&log, nil))
		for i := range 100 {
			if w := post(r, line(i), line(i+100)); w.Code != http.StatusOK {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			time.Sleep(time.Second)
		}
		if text := log.String(); strings.Count(text, "stored without the fence") != 2 || !strings.Contains(text, "changes=120 ") || !strings.Contains(text, "no route to host") {
			t.Errorf("log %s", text)
		}
		if text := shown(r); !strings.Contains(text, "aerosink_function_unfenced_changes_total 200") {
			t.Error("the changes are not counted")
		}
	})
}
