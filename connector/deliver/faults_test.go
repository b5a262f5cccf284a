package deliver_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
)

// raw returns the URL of a server that calls serve for each connection, with its number,
// counted from 1. The connections are closed at the end of the test.
func raw(t *testing.T, serve func(n int64, conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := int64(1); ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go serve(n, conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// Whatever a server does, the error for a change that it has not accepted is not permanent,
// and is returned within CallTimeout.
func TestDestination_serverErrors(t *testing.T) {
	const preface = len(http2.ClientPreface)
	for _, tt := range []struct {
		name     string
		protocol post.Protocol
		serve    func(n int64, conn net.Conn)
		want     string
	}{
		{"hangs up", post.HTTP2, func(_ int64, c net.Conn) { c.Close() }, "POST http"},
		{"hangs up", post.HTTP1, func(_ int64, c net.Conn) { c.Close() }, "POST http"},
		{"resets", post.HTTP1, func(_ int64, c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() }, "POST http"},
		{"sends nothing", post.HTTP2, func(int64, net.Conn) {}, "no response in time"},
		{"sends nothing", post.HTTP1, func(int64, net.Conn) {}, "no response in time"},
		{"speaks HTTP/1.1", post.HTTP2, func(_ int64, c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, preface))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, "set HTTP_1_1"},
		{"does not speak HTTP", post.HTTP1, func(_ int64, c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
		}, "malformed HTTP"},
		{"sends its headers slowly", post.HTTP1, dribble("HTTP/1.1 200 OK\r\nX: "), "no response in time"},
		{"sends its response slowly", post.HTTP1, dribble("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), "no response in time"},
		{"truncates its response", post.HTTP1, func(_ int64, c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			c.Close()
		}, "read response: unexpected EOF"},
		{"resets the stream", post.HTTP2, streams(func(f *http2.Framer, _, stream uint32) {
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
		}), "INTERNAL_ERROR"},
		{"goes away after it has begun to process the request", post.HTTP2, streams(func(f *http2.Framer, _, stream uint32) {
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			_ = f.WriteRSTStream(stream, http2.ErrCodeCancel)
		}), "CANCEL"},
		{"sends endless headers", post.HTTP1, func(_ int64, c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for line := []byte("X: " + strings.Repeat("x", 1000) + "\r\n"); ; {
				if _, err := c.Write(line); err != nil {
					return
				}
			}
		}, "headers exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config(t, raw(t, tt.serve))
			c.Protocol, c.CallTimeout = tt.protocol, 300*time.Millisecond
			wantError(t, send(open(t, c), alone, 0, "x").wait(t), tt.want)
		})
	}
}

// readRequest reads a whole request, so that the response does not arrive before the
// request was sent.
func readRequest(c net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// dribble sends the start of a response, and then a byte every 10 ms.
func dribble(start string) func(int64, net.Conn) {
	return func(_ int64, c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, start)
		for range time.Tick(10 * time.Millisecond) {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}

// streams serves HTTP/2 and calls respond for each request, with the number of the
// connection.
func streams(respond func(f *http2.Framer, n, stream uint32)) func(int64, net.Conn) {
	return func(n int64, c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					_ = f.WriteSettingsAck()
				}
			case *http2.DataFrame:
				if frame.StreamEnded() {
					respond(f, uint32(n), frame.StreamID)
				}
			}
		}
	}
}

// ok responds with status 200.
func ok(f *http2.Framer, stream uint32) {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
}

// A request that the server has not begun to process is repeated at once.
func TestDestination_repeatsUnprocessed(t *testing.T) {
	for name, refuse := range map[string]func(f *http2.Framer, stream uint32){
		"goes away in a batch": func(f *http2.Framer, stream uint32) { _ = f.WriteGoAway(stream-1, http2.ErrCodeNo, nil) },
		"refuses the stream":   func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
	} {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Bool
			url := raw(t, streams(func(f *http2.Framer, _, stream uint32) {
				if refused.CompareAndSwap(false, true) {
					refuse(f, stream)
					return
				}
				ok(f, stream)
			}))
			for i, v := range sendBatch(open(t, config(t, url)), "a", "b", "c") {
				if err := v.wait(t); err != nil {
					t.Errorf("change %d: %v", i, err)
				}
			}
			if !refused.Load() {
				t.Error("nothing was refused")
			}
		})
	}
}

// An endpoint that was down is used again once it is back.
func TestDestination_serverRestart(t *testing.T) {
	for name, health := range map[string]*deliver.HealthConfig{
		"checked":   {Interval: 50 * time.Millisecond, CallTimeout: time.Second, HealthyThreshold: 2, UnhealthyThreshold: 2},
		"unchecked": nil,
	} {
		t.Run(name, func(t *testing.T) {
			handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			first := server(t, handler)
			c := config(t, first.URL)
			c.Health = health
			d := open(t, c)
			if err := send(d, alone, 0, "x").wait(t); err != nil {
				t.Fatal(err)
			}
			first.CloseClientConnections()
			first.Close()
			wantError(t, send(d, alone, 0, "x").wait(t), "destination there")
			l, err := net.Listen("tcp", strings.TrimPrefix(first.URL, "http://"))
			if err != nil {
				t.Skip("the port is in use: ", err)
			}
			again := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler, Protocols: first.Config.Protocols}}
			again.Start()
			t.Cleanup(again.Close)
			changetest.WaitFor(t, "a delivery", func() bool { return send(d, alone, 0, "x").wait(t) == nil })
			if failures := sendMany(t, d, 50); failures != 0 {
				t.Errorf("%d of 50 failed", failures)
			}
		})
	}
}
