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

// void is a sink that accepts everything.
type void struct{}

func (void) Put(context.Context, sink.Batch) sink.Verdicts { return nil }
func (void) Close() error                                  { return nil }

// A change costs no allocation: what a request of 500 changes allocates is the request's.
func TestServeHTTP_allocations(t *testing.T) {
	r := receiverWith(t, store.Config{Sinks: []sink.Spec{specOf("void:0", void{}), specOf("void:1", void{})}})
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
		t.Errorf("%.0f allocations for a request of 500 changes", perRequest)
	}
}
