package function

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// A sink that panics costs its request the answer, and nothing else: the others
// have what they were given, the process lives, and what is sent again is stored, once.
func TestSinkPanics(t *testing.T) {
	for i := range 3 {
		letters, sinks := &fake{}, []*fake{{}, {}}
		all := append(sinks[:2:2], letters)
		r := receiverOf(t, letters, sinks...)
		var log changetest.Output
		r.log = slog.New(slog.NewTextHandler(&log, nil))
		all[i].verdict = func(*format.Parsed) error { panic(errors.New("secret")) }
		w := post(r, line(0), "no change")
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("place %d: status %d: %s", i, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "fake_test.go") || strings.Contains(log.String(), "secret") {
			t.Errorf("place %d: the log has no stack of the sink, or data: %s", i, log.String())
		}
		if !strings.Contains(shown(r), `aerosink_function_requests_total{code="500"} 1`) {
			t.Errorf("place %d: the request is not counted", i)
		}
		all[i].verdict = nil
		if w := post(r, line(0), "no change"); w.Code != http.StatusOK {
			t.Errorf("place %d: sent again: status %d: %s", i, w.Code, w.Body)
		}
		for n, f := range all {
			if len(f.stored) != 1 {
				t.Errorf("place %d panicked: place %d has %q", i, n, f.stored)
			}
		}
	}
}

// So is it with a panic of a goroutine that the sink has; the log has its stack.
func TestGoroutineOfSinkPanics(t *testing.T) {
	f := &fake{verdict: func(*format.Parsed) error { panic(&sink.Panic{Value: "secret", Stack: []byte("the stack")}) }}
	r := receiverOf(t, nil, f)
	var log changetest.Output
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	if w := post(r, line(0)); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "the stack") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log has no stack, or data: %s", log.String())
	}
}
