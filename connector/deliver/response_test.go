package deliver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// A response that arrives before the body was sent is accepted, and the memory of the
// body is not read after it.
func TestResponse_beforeBodyIsRead(t *testing.T) {
	for name, protocol := range map[string]post.Protocol{"HTTP/2": post.HTTP2, "HTTP/1.1": post.HTTP1} {
		t.Run(name, func(t *testing.T) {
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength > 1000 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				if body, _ := io.ReadAll(r.Body); strings.Trim(string(body), "b") != "" {
					t.Errorf("body %q", body)
				}
			})
			c := config(t, s.URL)
			c.Protocol, c.Connections = protocol, 4
			d := open(t, c)
			big := strings.Repeat("a", 200_000)
			for i := range 50 {
				if send(d, batches(1, 1<<30), i, big).wait(t) == nil {
					t.Error("delivered")
				}
				if err := send(d, alone, i, "bbb").wait(t); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The change is delivered even if the body of the response never ends.
func TestResponse_endlessBody(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		for text := make([]byte, 1<<16); r.Context().Err() == nil; {
			_, _ = w.Write(text)
		}
	})
	if err := send(open(t, config(t, s.URL)), alone, 0, "x").wait(t); err != nil {
		t.Error(err)
	}
}
