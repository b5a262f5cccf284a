package deliver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// connCounter counts the connections of a server.
type connCounter struct {
	mu           sync.Mutex
	opened, open int
	most         int // open at once
}

func (c *connCounter) record(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.opened++
		c.open++
		c.most = max(c.most, c.open)
	case http.StateClosed:
		c.open--
	}
}

func (c *connCounter) counts() (opened, open, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened, c.open, c.most
}

// limitedServer starts a server of clear-text HTTP/2 that allows a number of concurrent
// requests on each connection.
func limitedServer(t *testing.T, requests int, handler http.HandlerFunc) (url string, c *connCounter) {
	t.Helper()
	s, c := httptest.NewUnstartedServer(handler), &connCounter{}
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: requests}
	s.Config.ConnState = c.record
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, c
}

// A server that allows fewer concurrent requests than there are lanes gets as many as it
// allows, over no more connections than configured, and no request fails.
func TestConnection_maxConcurrentStreams(t *testing.T) {
	for _, tt := range []struct{ allowed, connections int }{{20, 1}, {20, 3}, {2, 1}, {2, 2}, {1, 1}} {
		t.Run(fmt.Sprintf("%d on each of %d", tt.allowed, tt.connections), func(t *testing.T) {
			t.Parallel()
			var now atomic.Int64
			var gate atomic.Pointer[chan struct{}] // requests wait until it is closed; nil means they do not wait
			url, conns := limitedServer(t, tt.allowed, func(_ http.ResponseWriter, r *http.Request) {
				now.Add(1)
				defer now.Add(-1)
				_, _ = io.Copy(io.Discard, r.Body)
				if held := gate.Load(); held != nil {
					<-*held
				}
			})
			c := config(t, url)
			c.Connections = tt.connections
			d := open(t, c)
			want := int64(tt.allowed * tt.connections)
			// The destination needs several rounds to reach one request per lane, and
			// reduces the limit after the server has ended a connection, see below.
			for reached, tries := false, 0; !reached; tries++ {
				if tries == 10 {
					t.Fatalf("never had %d requests at once", want)
				}
				for range 10 {
					wantDelivered(t, sendEach(d, 100))
				}
				held := make(chan struct{})
				gate.Store(&held)
				verdicts := sendEach(d, 1000)
				patience := time.After(2 * time.Second)
				changetest.WaitFor(t, "all requests that are allowed, or the next try", func() bool {
					reached = now.Load() == want
					select {
					case <-patience:
						return true
					default:
						return reached
					}
				})
				gate.Store(nil)
				close(held)
				wantDelivered(t, verdicts)
			}
			// The server sometimes still counts a request that it has just answered, and
			// ends the connection with PROTOCOL_ERROR. Until its requests have finished,
			// it is open together with its replacement.
			if _, _, most := conns.counts(); most > 2*tt.connections {
				t.Errorf("%d connections at once, want at most %d", most, 2*tt.connections)
			}
		})
	}
}

// wantDelivered waits for verdicts and fails the test if one is an error.
func wantDelivered(t *testing.T, verdicts []verdict) {
	t.Helper()
	for i, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
}

// sendEach sends n changes, each in its own request.
func sendEach(d *deliver.Destination, n int) []verdict {
	verdicts := make([]verdict, n)
	for i := range verdicts {
		verdicts[i] = send(d, alone, i, "x\n")
	}
	return verdicts
}

// A request waits no longer than its deadline until the server allows it, and does not hold
// up later ones.
func TestConnection_waitEndsAtDeadline(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	url, _ := limitedServer(t, 1, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
	})
	d := open(t, config(t, url))
	first := send(d, alone, 0, "x")
	<-arrived
	impatient := make(verdict, 1)
	d.Send(deliver.Item{Stream: alone, Record: []byte("x"), Partition: 1, Deadline: time.Now().Add(50 * time.Millisecond), To: impatient})
	patient := send(d, alone, 2, "x")
	wantError(t, impatient.wait(t), "no response in time")
	close(release)
	for _, v := range []verdict{first, patient} {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
}

// Under load, too, connections are replaced without a failed request.
func TestConnectionTTL_underLoad(t *testing.T) {
	url, conns := limitedServer(t, 20, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	c := config(t, url)
	c.Connections, c.ConnectionTTL = 2, 20*time.Millisecond
	d := open(t, c)
	changetest.WaitFor(t, "many connections", func() bool {
		if failures := sendMany(t, d, 500); failures != 0 {
			t.Fatalf("%d of 500 failed", failures)
		}
		opened, _, _ := conns.counts()
		return opened >= 20
	})
	changetest.WaitFor(t, "the end of the expired connections", func() bool {
		_, open, _ := conns.counts()
		return open <= 2
	})
}

// tlsTextServer returns the URL of a TLS server that negotiates one of the protocols, and
// then sends text on each connection, whatever it receives.
func tlsTextServer(t *testing.T, protocols []string, text string) (url string, trust *x509.CertPool) {
	ours := newAuthority(t)
	c := &tls.Config{
		Certificates: []tls.Certificate{ours.server(t, func(*x509.Certificate) {})},
		NextProtos:   protocols,
	}
	plain := raw(t, func(_ int64, conn net.Conn) {
		s := tls.Server(conn, c)
		if s.Handshake() == nil {
			_, _ = io.ReadFull(s, make([]byte, len(http2.ClientPreface)))
			_, _ = io.WriteString(s, text)
		}
	})
	return strings.Replace(plain, "http:", "https:", 1), ours.pool
}

// There is no fallback to HTTP/1.1 for a server that does not speak HTTP/2. The error says
// which key to set.
func TestHTTP2_unsupportedByServer(t *testing.T) {
	const text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	for _, tt := range []struct {
		name      string
		protocols []string
		want      string
	}{
		{"negotiates HTTP/2", []string{"h2"}, "POST https"},
		{"negotiates nothing", nil, "the server does not negotiate HTTP/2"},
		{"negotiates only HTTP/1.1", []string{"http/1.1"}, "no application protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, trust := tlsTextServer(t, tt.protocols, text)
			c := config(t, url)
			c.TLS = &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}
			err := send(open(t, c), alone, 0, "x").wait(t)
			wantError(t, err, tt.want)
			wantError(t, err, "protocol is HTTP_2; if the server does not speak it, set HTTP_1_1")
		})
	}
}

// ConnectTimeout includes the TLS handshake.
func TestConnectTimeout_tlsHandshake(t *testing.T) {
	silent := raw(t, func(int64, net.Conn) {})
	c := config(t, strings.Replace(silent, "http:", "https:", 1))
	c.ConnectTimeout = 50 * time.Millisecond
	err := send(open(t, c), alone, 0, "x").wait(t)
	wantError(t, err, "no connection within 50ms")
}

// Close cancels connections that are not open yet.
func TestClose_whileConnecting(t *testing.T) {
	var accepted atomic.Int64
	silent := raw(t, func(int64, net.Conn) { accepted.Add(1) })
	c := config(t, strings.Replace(silent, "http:", "https:", 1))
	d := deliver.New(c)
	v := send(d, alone, 0, "x")
	changetest.WaitFor(t, "a connection", func() bool { return accepted.Load() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Close(ctx)
	wantError(t, v.wait(t), "shutting down")
}
