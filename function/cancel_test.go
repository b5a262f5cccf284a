package function_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// gauge returns the value of a gauge, 0 if there is none.
func gauge(t *testing.T, r *function.Receiver, name string) float64 {
	t.Helper()
	w := httptest.NewRecorder()
	r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	line := regexp.MustCompile(`(?m)^` + name + `(?:{.*})? (\S+)$`).FindStringSubmatch(w.Body.String())
	if line == nil {
		return 0
	}
	value, err := strconv.ParseFloat(line[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Requests that share an open object of an archive end when their senders are gone, and what
// they hold is free again.
func TestServeHTTP_sendersGoneWhileObjectIsOpen(t *testing.T) {
	for _, format := range []string{"ndjson", "avro", "parquet"} {
		t.Run(format, func(t *testing.T) {
			cloud := sinktest.New(t)
			cloud.FailStorage(func(_ http.ResponseWriter, req *http.Request) {
				<-req.Context().Done()
				panic(http.ErrAbortHandler)
			})
			r, _ := newReceiver(t, env("SINKS", sinktest.ArchiveSink+"?linger=4s&format="+format))
			server := httptest.NewServer(r)
			defer server.Close() // waits for the requests
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			var sending sync.WaitGroup
			for i := range 2 {
				sending.Go(func() {
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(jsonChange(i)))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Content-Type", "application/json")
					if resp, err := http.DefaultClient.Do(req); err == nil {
						t.Errorf("status %s", resp.Status)
						_ = resp.Body.Close()
					}
				})
			}
			both := float64(2 * len(jsonChange(0)))
			changetest.WaitFor(t, "two requests in the archive", func() bool { return gauge(t, r, "aerosink_archive_in_flight_bytes") >= both })
			leave()
			sending.Wait()
			for _, name := range []string{"aerosink_archive_in_flight_bytes", "aerosink_function_in_flight_bytes"} {
				changetest.WaitFor(t, name+" of 0", func() bool { return gauge(t, r, name) == 0 })
			}
		})
	}
}
