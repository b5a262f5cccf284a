package function_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/intake"

	"github.com/aerosink/aerosink/function"
)

// limits are generous, so that no test reaches them by accident.
var limits = intake.Limits{Header: 64 << 10, HeaderTimeout: 5 * time.Second, BodyTimeout: 10 * time.Second}

func serve(t *testing.T, handler http.HandlerFunc) (url string, stop func(), stopped <-chan error) {
	t.Helper()
	return serveWith(t, handler, limits)
}

func serveWith(t *testing.T, handler http.Handler, limits intake.Limits) (url string, stop func(), stopped <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	end := make(chan error, 1)
	go func() { end <- function.Serve(ctx, l, handler, limits, slog.New(slog.DiscardHandler)) }()
	return "http://" + l.Addr().String(), cancel, end
}

// client returns a client for HTTP/1.1, or for unencrypted HTTP/2 with prior knowledge.
func client(t *testing.T, http2 bool) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestServe_bothProtocols(t *testing.T) {
	url, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	for http2, want := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		resp, err := client(t, http2).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != want {
			t.Errorf("answered over %s, want %s", got, want)
		}
	}
}

// Requests in flight are answered when the server stops, over both protocols.
func TestServe_drain(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		arrived, release := make(chan struct{}), make(chan struct{})
		url, stop, stopped := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-release
			_, _ = io.WriteString(w, "durable")
		})
		c := client(t, http2)
		answer := make(chan string, 1)
		go func() {
			resp, err := c.Post(url, "application/json", strings.NewReader("{}"))
			if err != nil {
				answer <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			answer <- string(text)
		}()
		<-arrived
		stop()
		select {
		case err := <-stopped:
			t.Fatalf("stopped with a request in flight: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		close(release)
		if got := <-answer; got != "durable" {
			t.Errorf("HTTP/2: %t: answer %q", http2, got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
			t.Error("new connections are accepted")
		}
	}
}

func TestServe_closedListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := function.Serve(t.Context(), l, http.NotFoundHandler(), limits, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "serve 127.0.0.1") {
		t.Errorf("error %v", err)
	}
}
