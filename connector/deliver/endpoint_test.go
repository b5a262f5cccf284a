package deliver_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// Connections are replaced after their TTL, and closed. No request fails because of it, not
// even one that takes longer than the TTL.
func TestConnectionTTL_slowRequest(t *testing.T) {
	for name, protocol := range map[string]post.Protocol{"HTTP/2": post.HTTP2, "HTTP/1.1": post.HTTP1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened, closed, slow atomic.Int64
			finish := make(chan struct{})
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) == "slow" {
					slow.Add(1)
					<-finish
				}
			}))
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					opened.Add(1)
				case http.StateClosed:
					closed.Add(1)
				}
			}
			s.Start()
			t.Cleanup(s.Close)
			c := config(t, s.URL)
			c.Protocol, c.Connections, c.ConnectionTTL = protocol, 4, 20*time.Millisecond
			d := open(t, c)
			long := send(d, alone, 0, "slow")
			changetest.WaitFor(t, "the slow request", func() bool { return slow.Load() == 1 })
			changetest.WaitFor(t, "many connections", func() bool {
				for i := 1; i < 4; i++ {
					if err := send(d, alone, i, "x").wait(t); err != nil {
						t.Fatal(err)
					}
				}
				return opened.Load() >= 20
			})
			changetest.WaitFor(t, "the end of the expired connections", func() bool { return opened.Load()-closed.Load() <= 8 })
			close(finish)
			if err := long.wait(t); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEndpoint_reusesConnections(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := config(t, s.URL)
	c.Protocol, c.Connections = post.HTTP1, 2
	if failures := sendMany(t, open(t, c), 200); failures != 0 || opened.Load() > 2 {
		t.Errorf("%d failures, %d connections, want none and at most 2", failures, opened.Load())
	}
}
