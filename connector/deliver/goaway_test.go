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

// leaver is a server whose first connection goes away after the first frame of a body
// that is large. It answers small requests on it only then, the large one when it has
// all of it, and all on later connections at once.
type leaver struct {
	last  func(large uint32) uint32                      // stream that it says it will look at
	after func(f *http2.Framer, c net.Conn, held uint32) // instead of answering a small one; may be nil

	small atomic.Int64 // requests on the first connection
	large [3]atomic.Int64
}

const largeBody = 300_000

func (s *leaver) serve(n int64, c net.Conn) {
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

// A server that goes away in the middle of a body gets the whole of it again where it
// says that it will not look at it, and the rest of it where it will. What it has got
// besides is settled as it answers.
func TestGoAwayInABody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server *leaver
		on     int    // connection that gets the whole body
		err    string // of the small requests
		both   bool   // the large one fails with it too
	}{
		{"and does not want it", &leaver{last: func(large uint32) uint32 { return large - 2 }}, 2, "", false},
		{"and wants it", &leaver{last: func(large uint32) uint32 { return large }}, 1, "", false},
		{"and wants whatever was on its way", &leaver{last: func(uint32) uint32 { return 1<<31 - 1 }}, 1, "", false},
		{"and resets the others", &leaver{
			last:  func(large uint32) uint32 { return large - 2 },
			after: func(f *http2.Framer, _ net.Conn, held uint32) { _ = f.WriteRSTStream(held, http2.ErrCodeInternal) },
		}, 2, "INTERNAL_ERROR", false},
		{"and hangs up", &leaver{
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

// wantVerdict waits for a delivery, or for an error that says want.
func wantVerdict(t *testing.T, v verdict, want string) {
	t.Helper()
	err := v.wait(t)
	if want != "" {
		wantError(t, err, want)
	} else if err != nil {
		t.Error(err)
	}
}

// A server that refuses a request again and again is believed at last.
func TestAlwaysRefused(t *testing.T) {
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

// entrance is a listener whose connections come from elsewhere.
type entrance struct {
	net.Listener
	conns chan net.Conn
	ended context.Context
}

// Accept implements net.Listener.
func (e *entrance) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.ended.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (e *entrance) Close() error { return nil }

// A server that is replaced by another, and shuts down in order, fails no request.
func TestServersInTurn(t *testing.T) {
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
		go func() { _ = s.Serve(&entrance{Listener: l, conns: conns, ended: ctx}) }()
		return s, cancel
	}
	c := config(t, "http://"+l.Addr().String())
	c.Connections, c.Streams = 3, 10
	d := open(t, c)
	current, leave := start()
	for range 3 {
		leave() // first, so that the old server gets no connection after its farewell
		next, leaveNext := start()
		down := make(chan error, 1)
		go func(s *http.Server) { down <- s.Shutdown(t.Context()) }(current)
		if failures := pressure(t, d, 2000); failures != 0 {
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
