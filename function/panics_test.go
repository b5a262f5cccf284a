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

// If a sink panics, the request is answered with 500 and nothing else happens: the other sinks
// store their changes, and after a repeat every sink has every change once.
func TestServeHTTP_sinkPanics(t *testing.T) {
	for i := range 3 {
		deadLetters, sinks := &fake{}, []*fake{{}, {}}
		all := append(sinks[:2:2], deadLetters)
		r := receiverOf(t, deadLetters, sinks...)
		var log changetest.Output
		r.log = slog.New(slog.NewTextHandler(&log, nil))
		all[i].verdict = func(*format.Parsed) error { panic(errors.New("secret")) }
		w := post(r, line(0), "no change")
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("sink %d panics: status %d: %s", i, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "fake_test.go") || strings.Contains(log.String(), "secret") {
			t.Errorf("sink %d panics: the log lacks the sink's stack, or holds data: %s", i, log.String())
		}
		if !strings.Contains(shown(r), `aerosink_function_requests_total{code="500"} 1`) {
			t.Errorf("sink %d panics: the request is not counted", i)
		}
		all[i].verdict = nil
		if w := post(r, line(0), "no change"); w.Code != http.StatusOK {
			t.Errorf("sink %d panics: sent again: status %d: %s", i, w.Code, w.Body)
		}
		for n, f := range all {
			if len(f.stored) != 1 {
				t.Errorf("sink %d panics: sink %d has %q", i, n, f.stored)
			}
		}
	}
}

// A panic that a sink passes on from one of its goroutines is logged with that goroutine's
// stack.
func TestServeHTTP_sinkGoroutinePanics(t *testing.T) {
	f := &fake{verdict: func(*format.Parsed) error { panic(&sink.Panic{Value: "secret", Stack: []byte("the stack")}) }}
	r := receiverOf(t, nil, f)
	var log changetest.Output
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	if w := post(r, line(0)); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "the stack") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log lacks the stack, or holds data: %s", log.String())
	}
}
