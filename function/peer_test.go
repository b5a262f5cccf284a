package function_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink"
)

// start serves a Receiver with the environment variables in pairs, and the sink log: by
// default. It returns the address.
func start(t *testing.T, pairs ...string) (address string) {
	t.Helper()
	address, _ = startReceiver(t, pairs...)
	return address
}

// startReceiver is like start, but also returns the Receiver.
func startReceiver(t *testing.T, pairs ...string) (address string, r *function.Receiver) {
	t.Helper()
	getenv := env(append(pairs, "SINKS", "log:")...)
	c, err := environment(getenv).Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r = function.New(environment(getenv), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = r.Close() })
	url, stop, stopped := serveWith(t, r, c.Limits)
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(url, "http://"), r
}

// peer is a client that writes raw bytes to its connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, address string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t, conn, bufio.NewReader(conn)}
}

// post sends the head of a request with the given header lines.
func (p *peer) post(lines ...string) {
	p.write("POST / HTTP/1.1\r\nHost: sink\r\nContent-Type: application/json\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// write sends text as it is.
func (p *peer) write(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// read reads an answer.
func (p *peer) read() (status int, header http.Header, body string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatalf("no answer: %v", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// wantProblem reads an answer and checks that it is a problem.
func (p *peer) wantProblem(status int, detail string) http.Header {
	p.t.Helper()
	got, header, body := p.read()
	if got != status || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, fmt.Sprintf(`"status":%d`, status)) || !strings.Contains(body, detail) {
		p.t.Errorf("status %d with %s: %s; want a problem with status %d and %q", got, header.Get("Content-Type"), body, status, detail)
	}
	return header
}

// wantClosed waits until the server has closed the connection.
func (p *peer) wantClosed() {
	p.t.Helper()
	if n, err := io.Copy(io.Discard, p.in); n > 0 {
		p.t.Errorf("%d bytes and %v, want a closed connection", n, err)
	}
}
