package deliver_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// An error advises to change the protocol or the scheme only where that is the likely cause.
func TestPost_advice(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	ours := newAuthority(t)
	certificate := ours.server(t, noChange)
	secure := secureServer(t, &tls.Config{Certificates: []tls.Certificate{certificate}}, ok)
	oldTLS := secureServer(t, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}}, ok)
	clear := server(t, ok).URL
	http1 := raw(t, answerHTTP1)
	const setHTTP1 = "(protocol is HTTP_2; if the server does not speak it, set HTTP_1_1)"
	const useHTTP = "(the server does not speak TLS on this port; if that is intended, use an http URL)"
	for _, tt := range []struct {
		name     string
		protocol post.Protocol
		url      string
		trusted  bool
		advice   string
	}{
		{"HTTP/2 to HTTP/1.1", post.HTTP2, http1, true, setHTTP1},
		{"HTTP/2 to HTTP/1.1 over TLS", post.HTTP2, oldTLS, true, setHTTP1},
		{"https to clear text", post.HTTP2, "https" + strings.TrimPrefix(clear, "http"), true, useHTTP},
		{"https to clear text over HTTP/1.1", post.HTTP1, "https" + strings.TrimPrefix(clear, "http"), true, useHTTP},
		{"untrusted certificate", post.HTTP2, secure, false, ""},
		{"name mismatch", post.HTTP2, strings.Replace(secure, "127.0.0.1", "localhost", 1), true, ""},
		{"lost connection", post.HTTP2, raw(t, closeAfterSettings), true, ""},
		{"refused connection", post.HTTP2, closedURL(t), true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t, tt.url)
			c.Protocol, c.TLS = tt.protocol, &tls.Config{}
			if tt.trusted {
				c.TLS.RootCAs = ours.pool
			}
			err := send(open(t, c), alone, 0, "x").wait(t)
			wantError(t, err, tt.advice)
			if tt.advice == "" && strings.HasSuffix(err.Error(), ")") {
				t.Errorf("error %v, want no advice", err)
			}
		})
	}
}

func noChange(*x509.Certificate) {}

// answerHTTP1 reads something and answers it in HTTP/1.1.
func answerHTTP1(_ int64, c net.Conn) {
	_, _ = c.Read(make([]byte, 100))
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
}

// closeAfterSettings sends SETTINGS and closes the connection when a request comes.
func closeAfterSettings(_ int64, c net.Conn) {
	defer c.Close()
	_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if _, isHeaders := frame.(*http2.HeadersFrame); err != nil || isHeaders {
			return
		}
	}
}
