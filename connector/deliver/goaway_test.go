package deliver_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// goAwayServer is a server that sends a GOAWAY on its first connection after the first frame
// of a large body. Only then does it respond to the small requests on that connection. It
// responds to a large request once it has the whole body, and to all requests on later
// connections at once.
type goAwayServer struct {
	last  func(large uint32) uint32                      // last stream ID of the GOAWAY
	after func(f *http2.Framer, c net.Conn, held uint32) // instead of responding to a small request; may be nil

	small atomic.Int64    // requests on the first connection
	large [3]atomic.Int64 // bytes of whole large bodies, by connection
}

const largeBody = 300_000

func (s *goAwayServer) serve(n int64, c net.Conn) {
	_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	sizes, left, held := map[uint32]int{}, n > 1, []uint32(nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		data, isData := frame.(*http2.DataFrame)
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			_ = f.WriteSettingsAck()
		}
		if !isData {
			continue
		}
		stream, size := data.StreamID, len(data.Data())
		sizes[stream] += size
		if size > 0 {
			_ = f.WriteWindowUpdate(0, uint32(size))
			_ = f.WriteWindowUpdate(stream, uint32(size))
		}
		switch {
		case !left && size > 1000:
			left = true
			_ = f.WriteGoAway(s.last(stream), http2.ErrCodeNo, nil)
			for _, h := range held {
				if s.after != nil {
					s.after(f, c, h)
				} else {
					ok(f, h)
				}
			}
		case data.StreamEnded() && sizes[stream] >= largeBody:
			s.large[min(n, 2)].Add(int64(sizes[stream]))
			ok(f, stream)
		case data.StreamEnded() && left:
			ok(f, stream)
		case data.StreamEnded():
			held = append(held, stream)
			s.small.Add(1)
		}
	}
}

// After a GOAWAY in the middle of a body, the whole request is repeated on another
// connection if its stream will not be processed; otherwise the rest of the body is sent.
// The other requests on the connection get the verdict of their response.
func TestGoAway_duringBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server *goAwayServer
		on     int    // connection that gets the whole body
		err    string // of the small requests
		both   bool   // the large one fails with it too
	}{
		{"not processed", &goAwayServer{last: func(large uint32) uint32 { return large - 2 }}, 2, "", false},
		{"processed", &goAwayServer{last: func(large uint32) uint32 { return large }}, 1, "", false},
		{"processed, with the largest stream ID", &goAwayServer{last: func(uint32) uint32 { return 1<<31 - 1 }}, 1, "", false},
		{"not processed, others reset", &goAwayServer{
			last:  func(large uint32) uint32 { return large - 2 },
			after: func(f *http2.Framer, _ net.Conn, held uint32) { _ = f.WriteRSTStream(held, http2.ErrCodeInternal) },
		}, 2, "INTERNAL_ERROR", false},
		{"connection closed", &goAwayServer{
			last:  func(large uint32) uint32 { return large },
			after: func(_ *http2.Framer, c net.Conn, _ uint32) { c.Close() },
		}, 0, "POST http", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, config(t, raw(t, tt.server.serve)))
			small := []verdict{send(d, alone, 0, "x"), send(d, alone, 1, "x"), send(d, alone, 2, "x")}
			changetest.WaitFor(t, "small requests", func() bool { return tt.server.small.Load() == 3 })
			large := send(d, alone, 3, strings.Repeat("x", largeBody))
			for _, v := range small {
				wantVerdict(t, v, tt.err)
			}
			if tt.both {
				wantVerdict(t, large, tt.err)
			} else {
				wantVerdict(t, large, "")
			}
			for n := range tt.server.large {
				want := int64(0)
				if n == tt.on && n > 0 {
					want = largeBody
				}
				if got := tt.server.large[n].Load(); got != want {
					t.Errorf("connection %d got %d bytes of whole bodies, want %d", n, got, want)
				}
			}
			wantVerdict(t, send(d, alone, 4, "x"), "")
		})
	}
}

// wantVerdict waits for a delivery, or for an error that contains want.
func wantVerdict(t *testing.T, v verdict, want string) {
	t.Helper()
	err := v.wait(t)
	if want != "" {
		wantError(t, err, want)
	} else if err != nil {
		t.Error(err)
	}
}

// A request that the server refuses again and again fails after a few repeats.
func TestEndpoint_limitOfRepeats(t *testing.T) {
	for name, refuse := range map[string]func(f *http2.Framer, stream uint32){
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"PROTOCOL_ERROR": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeProtocol) },
		"GOAWAY":         func(f *http2.Framer, stream uint32) { _ = f.WriteGoAway(stream-1, http2.ErrCodeNo, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			d := open(t, config(t, raw(t, streams(func(f *http2.Framer, _, stream uint32) {
				requests.Add(1)
				refuse(f, stream)
			}))))
			wantError(t, send(d, alone, 0, "x").wait(t), name)
			if n := requests.Load(); n < 2 || n > 4 {
				t.Errorf("%d requests, want a few", n)
			}
		})
	}
}

// connListener is a listener that takes its connections from a channel.
type connListener struct {
	net.Listener
	conns chan net.Conn
	ended context.Context
}

// Accept implements net.Listener.
func (e *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.ended.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (e *connListener) Close() error { return nil }

// No request fails when a server is replaced by another and shuts down gracefully.
func TestGoAway_gracefulShutdown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conns := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	start := func() (*http.Server, context.CancelFunc) {
		s := &http.Server{
			Handler:           http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
			Protocols:         new(http.Protocols),
			ReadHeaderTimeout: time.Minute,
		}
		s.Protocols.SetUnencryptedHTTP2(true)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = s.Serve(&connListener{Listener: l, conns: conns, ended: ctx}) }()
		return s, cancel
	}
	c := config(t, "http://"+l.Addr().String())
	c.Connections, c.Streams = 3, 10
	d := open(t, c)
	current, leave := start()
	for range 3 {
		leave() // first, so that the old server accepts no connection after its GOAWAY
		next, leaveNext := start()
		down := make(chan error, 1)
		go func(s *http.Server) { down <- s.Shutdown(t.Context()) }(current)
		if failures := sendMany(t, d, 2000); failures != 0 {
			t.Errorf("%d of 2000 failed", failures)
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
		current, leave = next, leaveNext
	}
	leave()
	current.Close()
}
