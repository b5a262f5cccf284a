package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// The metrics port serves the metrics of the function, its sinks and the process until
// the server is stopping.
func TestMetricsPort(t *testing.T) {
	sinktest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	var log changetest.Output
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, environment(map[string]string{"PORT": "0", "METRICS_PORT": "0", "SINKS": sinktest.ArchiveSink + "," + sinktest.PubSubSink, "DEAD_LETTERS": "gs://archive/dead"}), &log)
	}()
	url := "http://127.0.0.1:" + log.Find(t, `msg="sink started" address=\S+:(\d+)`)
	resp, err := http.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	shown := get(t, "http://127.0.0.1:"+log.Find(t, `msg="serving metrics" address=\S+:(\d+)`)+"/metrics")
	for _, want := range []string{`aerosink_function_requests_total{code="415"} 1`, "aerosink_function_ready 1", "go_goroutines", "process_open_fds",
		`aerosink_archive_in_flight_bytes{sink="gs://archive/changes"} 0`, `aerosink_archive_in_flight_bytes{sink="gs://archive/dead"} 0`, `{sink="pubsub://test-project/changes"}`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the metrics lack %s:\n%s", want, shown)
		}
	}
	// The main port has no metrics, and the metrics port takes no changes.
	metrics := "http://127.0.0.1:" + log.Find(t, `msg="serving metrics" address=\S+:(\d+)`)
	for path, want := range map[string]int{url + "/metrics": http.StatusNotFound, metrics + "/": http.StatusNotFound} {
		resp, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	for path, want := range map[string]int{metrics + "/": http.StatusNotFound, metrics + "/metrics": http.StatusMethodNotAllowed} {
		resp, err := http.Post(path, "application/json", strings.NewReader(deletion(1)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("POST %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A metrics port that is in use stops the sink.
func TestMetricsPort_taken(t *testing.T) {
	url, _, _ := start(t, map[string]string{"SINKS": "log:"})
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	err := serve(t.Context(), environment(map[string]string{"SINKS": "log:", "PORT": "0", "METRICS_PORT": port}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("listen on port %s: ", port)) || !strings.Contains(err.Error(), "set another port in METRICS_PORT") {
		t.Errorf("error %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
