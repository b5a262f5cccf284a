package function

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// discardSink is a sink that accepts and discards everything.
type discardSink struct{}

func (discardSink) Put(context.Context, sink.Batch) sink.Verdicts { return nil }
func (discardSink) Close() error                                  { return nil }

// The number of allocations of a request does not depend on the number of its changes.
func TestServeHTTP_allocations(t *testing.T) {
	r := receiverWith(t, store.Config{Sinks: []sink.Spec{specOf("discard:0", discardSink{}), specOf("discard:1", discardSink{})}})
	var body []byte
	for i := range 500 {
		body = append(append(body, line(i)...), '\n')
	}
	perRequest := testing.AllocsPerRun(100, func() {
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		req.Header.Set("Content-Type", format.MediaNDJSON)
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != http.StatusOK {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
	t.Logf("%.0f allocations for a request of 500 changes", perRequest)
	if perRequest > 100 {
		t.Errorf("%.0f allocations for a request of 500 changes, want at most 100", perRequest)
	}
}
