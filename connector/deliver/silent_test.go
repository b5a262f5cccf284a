package deliver_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// A path that drops everything is noticed by the pings of HTTP/2, before the end of the call
// timeout.
func TestHTTP2_silentPath(t *testing.T) {
	var requests atomic.Int64
	there := server(t, func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		<-r.Context().Done()
	})
	u, err := url.Parse(there.URL)
	if err != nil {
		t.Fatal(err)
	}
	var silent atomic.Bool
	path := raw(t, func(_ int64, near net.Conn) {
		far, err := net.Dial("tcp", u.Host)
		if err != nil {
			near.Close()
			return
		}
		defer far.Close()
		forward := func(to io.Writer, from io.Reader) {
			buf := make([]byte, 1024)
			for {
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				if !silent.Load() {
					_, _ = to.Write(buf[:n])
				}
			}
		}
		go forward(near, far)
		forward(far, near)
	})
	c := config(t, path)
	c.CallTimeout = 12 * time.Second // longer than pings take
	v := send(open(t, c), alone, 0, "x")
	changetest.WaitFor(t, "a request", func() bool { return requests.Load() == 1 })
	silent.Store(true)
	err = v.wait(t)
	wantError(t, err, "POST http")
	if strings.Contains(err.Error(), "no response in time") {
		t.Errorf("error %v, want that of the connection", err)
	}
}
