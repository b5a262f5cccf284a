package function_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/function"
)

// draining serves the handler in a synctest bubble, sends each request on its own connection,
// and then stops the server. It returns the answers, how long the stop took, and its error. An
// answer is empty if its connection was closed without one.
func draining(t *testing.T, handler http.Handler, requests ...string) (answers []string, took time.Duration, err error) {
	t.Helper()
	l := listen()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- function.Serve(ctx, l, handler, limits, slog.New(slog.DiscardHandler)) }()
	var conns []net.Conn
	for _, request := range requests {
		conn, err := l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	synctest.Wait()
	stopped := time.Now()
	stop()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for _, conn := range conns {
			answers = append(answers, answerOn(conn))
		}
	}()
	err = <-ended
	took = time.Since(stopped)
	<-read
	return answers, took, err
}

// answerOn reads an answer and formats it. It returns "" if there is none.
func answerOn(conn net.Conn) string {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	closes := ""
	if resp.Close {
		closes = ", closes"
	}
	return resp.Status + closes + ": " + string(body)
}

const (
	posted = "POST / HTTP/1.1\r\nHost: sink\r\nContent-Length: 2\r\n\r\n[]"
	cutOff = "POST / HTTP/1.1\r\nHost: sink\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n["
)

// A request that takes too long is cancelled, so that its handler can still answer.
func TestServe_drainCancelsSlowRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, took, err := draining(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			select {
			case <-req.Context().Done():
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, context.Cause(req.Context()).Error())
			case <-time.After(time.Minute):
			}
		}), posted)
		if err != nil || took > 8*time.Second || took < 7*time.Second || answers[0] != "503 Service Unavailable, closes: the server is stopping" {
			t.Errorf("%q after %s: %v", answers, took, err)
		}
	})
}

// If a handler ignores the cancellation, its connection is closed, and Serve returns an error.
func TestServe_drainTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, took, err := draining(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) }), posted)
		if err == nil || !strings.Contains(err.Error(), "requests in flight were cut off after 8s") || took != 8*time.Second || answers[0] != "" {
			t.Errorf("%q after %s: %v", answers, took, err)
		}
		time.Sleep(time.Minute) // until the handler ends
	})
}

// A body that does not arrive is waited for only until the drain ends, not for the whole
// BODY_TIMEOUT. Without requests in flight Serve returns at once.
func TestServe_drainWithoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := function.New(environment(env("SINKS", "log:")), slog.New(slog.DiscardHandler))
		defer r.Close()
		answers, took, err := draining(t, r, cutOff)
		if err != nil || took < 7*time.Second || took > 8*time.Second || len(answers) != 1 || !strings.HasPrefix(answers[0], "503 Service Unavailable, closes: ") || !strings.Contains(answers[0], "the server is stopping before the body has arrived") {
			t.Errorf("%q after %s: %v", answers, took, err)
		}
		if answers, took, err = draining(t, r); err != nil || took > time.Second {
			t.Errorf("%q after %s: %v", answers, took, err)
		}
	})
}
