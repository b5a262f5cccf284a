package function_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// frame returns a zstd frame with one raw block that declares a window of that many bytes, a
// power of two
// (https://www.rfc-editor.org/rfc/rfc8878#name-zstandard-frames).
func frame(window uint32, body []byte) []byte {
	const magic, noFlags, lastRaw = "\x28\xb5\x2f\xfd", 0, 1
	exponent := bits.TrailingZeros32(window) - 10
	head := append([]byte(magic), noFlags, byte(exponent<<3))
	n := len(body)<<3 | lastRaw
	return append(append(head, byte(n), byte(n>>8), byte(n>>16)), body...)
}

func TestServeHTTP_contentEncoding(t *testing.T) {
	cloud := sinktest.New(t)
	r, log := newReceiver(t, env("SINKS", sinktest.PubSubSink))
	good := []byte(jsonChange(1))
	gz, zs := gzipped(t, good), zstandard(t, good)
	wrong := bytes.Clone(gz)
	wrong[len(wrong)-8] ^= 1 // in the checksum
	for _, tt := range []struct {
		name   string
		coding []string
		body   []byte
		status int
		detail string
	}{
		{"gzip", []string{"gzip"}, gz, 200, ""},
		{"x-gzip in capitals", []string{"X-GZIP"}, gz, 200, ""},
		{"two members", []string{"gzip"}, append(gzipped(t, good[:9]), gzipped(t, good[9:])...), 200, ""},
		{"zstd", []string{"zstd"}, zs, 200, ""},
		{"two frames", []string{"zstd"}, append(zstandard(t, good[:9]), zstandard(t, good[9:])...), 200, ""},
		{"gzip, then zstd", []string{"gzip, zstd"}, zstandard(t, gz), 200, ""},
		{"zstd, then gzip, in two header lines", []string{"zstd", "gzip"}, gzipped(t, zs), 200, ""},
		{"gzip twice", []string{"gzip,gzip"}, gzipped(t, gz), 200, ""},
		{"padded with zeros", []string{"gzip"}, append(bytes.Clone(gz), make([]byte, 10240)...), 200, ""},
		{"two members, padded with zeros", []string{"gzip"}, append(append(gzipped(t, good[:9]), gzipped(t, good[9:])...), 0), 200, ""},
		{"identity and empty elements", []string{" , identity,\tgzip ,"}, gz, 200, ""},
		{"the largest window", []string{"zstd"}, frame(8<<20, good), 200, ""},

		{"three codings", []string{"gzip, gzip, gzip"}, gzipped(t, gzipped(t, gz)), 415, "more than 2 codings"},
		{"unknown", []string{"br"}, good, 415, `Content-Encoding \"br\": want gzip, zstd or identity`},
		{"known and unknown", []string{"gzip, br"}, gz, 415, `\"br\"`},
		{"not a token", []string{"gzip;q=1"}, gz, 415, "want gzip, zstd or identity"},
		{"undeclared gzip", nil, gz, 415, "undeclared content coding: the body is compressed; send it with Content-Encoding: gzip"},
		{"undeclared zstd", []string{"gzip"}, gzipped(t, zs), 415, "undeclared content coding: the body is compressed; send it with Content-Encoding: zstd"},
		{"not compressed", []string{"gzip"}, good, 400, "the body does not inflate: gzip: gzip: invalid header"},
		{"wrong order", []string{"zstd, gzip"}, zstandard(t, gz), 400, "the body does not inflate: gzip"},
		{"gzip cut off", []string{"gzip"}, gz[:len(gz)-1], 400, "the body does not inflate: gzip: unexpected EOF"},
		{"trailing data", []string{"gzip"}, append(bytes.Clone(gz), "secret"...), 400, "the body does not inflate: gzip"},
		{"a member after zeros", []string{"gzip"}, append(append(gzipped(t, good[:9]), 0), gzipped(t, good[9:])...), 400, "the body does not inflate: gzip: gzip: invalid header"},
		{"zeros alone", []string{"gzip"}, make([]byte, 100), 400, "the body does not inflate: gzip: gzip: invalid header"},
		{"mostly zeros", []string{"gzip"}, append(bytes.Clone(gz), make([]byte, 1<<20)...), 400, "the body does not inflate: gzip: it inflates to less than half of its own size"},
		{"a million empty members", []string{"gzip"}, bytes.Repeat(gzipped(t, nil), 1<<20), 400, "the body does not inflate: gzip: it inflates to less than half of its own size"},
		{"a million empty frames", []string{"zstd"}, bytes.Repeat(zstandard(t, nil), 1<<20), 400, "the body does not inflate: zstd: it inflates to less than half of its own size"},
		{"wrong checksum", []string{"gzip"}, wrong, 400, "the body does not inflate: gzip: gzip: invalid checksum"},
		{"zstd cut off", []string{"zstd"}, zs[:len(zs)-1], 400, "the body does not inflate: zstd"},
		{"too large a window", []string{"zstd"}, frame(16<<20, good), 400, "the body does not inflate: zstd: window size exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(cloud.Messages())
			req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(tt.body))
			req.Header["Content-Encoding"] = tt.coding
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.detail) || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("status %d: %s; want %d with %q", w.Code, w.Body, tt.status, tt.detail)
			}
			if n := len(cloud.Messages()) - before; (n == 1) != (tt.status == 200) {
				t.Errorf("%d messages\n%s", n, log)
			}
			if got := w.Header().Get("Accept-Encoding"); (got == "gzip, zstd") != (tt.status == 415) {
				t.Errorf("Accept-Encoding %q", got)
			}
		})
	}
	req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	req.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	if r.ServeHTTP(w, req); w.Code != http.StatusOK {
		t.Errorf("empty body with gzip: status %d: %s", w.Code, w.Body)
	}
}

// A body at a limit is accepted, and one byte more is not.
func TestServeHTTP_bodyLimits(t *testing.T) {
	r, _ := newReceiver(t, env("SINKS", "log:", "MAX_BODY", "10000", "MAX_INFLATED", "20000"))
	empty := func(n int) []byte { return []byte("[" + strings.Repeat(" ", n-2) + "]") }
	for _, tt := range []struct {
		name, coding string
		body         []byte
		status       int
	}{
		{"body", "", empty(10000), 200},
		{"body and one", "", empty(10001), 413},
		{"inflated", "gzip", gzipped(t, empty(20000)), 200},
		{"inflated and one", "gzip", gzipped(t, empty(20001)), 413},
		{"inflated twice", "gzip, zstd", zstandard(t, gzipped(t, empty(20000))), 200},
		{"inflated twice and one", "gzip, zstd", zstandard(t, gzipped(t, empty(20001))), 413},
		{"too much between codings", "zstd, gzip", gzipped(t, append(bytes.Repeat(zstandard(t, nil), 3000), zstandard(t, empty(20))...)), 413},
	} {
		for _, length := range []int64{int64(len(tt.body)), -1} {
			req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(tt.body))
			req.ContentLength = length
			req.Header.Set("Content-Encoding", tt.coding)
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			if r.ServeHTTP(w, req); w.Code != tt.status {
				t.Errorf("%s, Content-Length %d: status %d, want %d: %s", tt.name, length, w.Code, tt.status, w.Body)
			}
		}
	}
}

// heap returns the bytes of the heap, garbage included.
func heap() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// processorTime returns how much time of the processor the process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns by how much the heap grows while f runs.
func peak(f func()) int64 {
	debug.FreeOSMemory()
	before, most, done := heap(), int64(0), make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return max(most, heap()) - before
		case <-tick.C:
			most = max(most, heap())
		}
	}
}

// Small bodies that inflate to 200 MiB and to 3 GiB are refused as soon as they have inflated
// to the limit, and take little time and memory.
func TestServeHTTP_decompressionBombs(t *testing.T) {
	const (
		limit    = 64 << 20
		inflated = "67108864 bytes, the limit of MAX_INFLATED"
		body     = "33554432 bytes, the limit of MAX_BODY"
	)
	r, _ := newReceiver(t, env("SINKS", "log:"))
	nothing := make([]byte, 8<<20)
	gz, zs := gzipped(t, nothing), zstandard(t, nothing)
	for _, tt := range []struct {
		name, coding string
		body         []byte
		limit        string
	}{
		{"200 MiB of gzip", "gzip", bytes.Repeat(gz, 25), inflated},
		{"3 GiB of gzip", "gzip", bytes.Repeat(gz, 384), inflated},
		{"200 MiB of zstd", "zstd", bytes.Repeat(zs, 25), inflated},
		{"3 GiB of zstd", "zstd", bytes.Repeat(zs, 384), inflated},
		{"3 GiB of gzip in gzip", "gzip, gzip", gzipped(t, bytes.Repeat(gz, 384)), inflated},
		{"3 GiB of zstd in zstd", "zstd, zstd", zstandard(t, bytes.Repeat(zs, 384)), inflated},
		{"3 GiB of gzip in zstd", "gzip, zstd", zstandard(t, bytes.Repeat(gz, 384)), inflated},
		{"200 MiB between zstd and gzip", "zstd, gzip", gzipped(t, bytes.Repeat(frame(1<<10, make([]byte, 500)), 200<<20/509)), body},
	} {
		var w *httptest.ResponseRecorder
		var took time.Duration // of the processor, since the machine may be busy
		grown := peak(func() {
			req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(tt.body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Content-Encoding", tt.coding)
			w = httptest.NewRecorder()
			began := processorTime(t)
			r.ServeHTTP(w, req)
			took = processorTime(t) - began
		})
		t.Logf("%s from %d KiB: status %d in %s, heap grown by %d MiB", tt.name, len(tt.body)>>10, w.Code, took.Round(time.Millisecond), grown>>20)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "the body inflates to more than "+tt.limit) {
			t.Errorf("%s: status %d: %s", tt.name, w.Code, w.Body)
		}
		if grown > 2*limit {
			t.Errorf("%s: the heap grew by %d MiB", tt.name, grown>>20)
		}
		if took > 2*time.Second {
			t.Errorf("%s: refused after %s of the processor", tt.name, took)
		}
	}
}

// Beyond the limit of all bodies in flight a request is refused, and holds no memory. The only
// request in flight is always accepted.
func TestServeHTTP_inFlightLimit(t *testing.T) {
	address, r := startReceiver(t, "MAX_BODY", "64KiB", "MAX_IN_FLIGHT", "40KiB")
	first := dial(t, address)
	first.post("Content-Length: 40000")
	first.write("[" + strings.Repeat(" ", 30000))
	changetest.WaitFor(t, "memory for the first body", func() bool {
		w := httptest.NewRecorder()
		r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return strings.Contains(w.Body.String(), "aerosink_function_in_flight_bytes 32768\n")
	})
	again := dial(t, address)
	again.post("Content-Length: 10000")
	again.write("[" + strings.Repeat(" ", 9998) + "]")
	status, header, body := again.read()
	if status != http.StatusTooManyRequests || header.Get("Retry-After") != "1" || !strings.Contains(body, "the limit of MAX_IN_FLIGHT") {
		t.Errorf("status %d, %v: %s", status, header, body)
	}
	first.write(strings.Repeat(" ", 9998) + "]")
	if status, _, body := first.read(); status != http.StatusOK {
		t.Errorf("status %d: %s", status, body)
	}
	for range 20 { // refused requests hold no memory
		again := dial(t, address)
		again.post("Content-Length: 50000")
		again.write("[" + strings.Repeat(" ", 49998) + "]")
		if status, _, body := again.read(); status != http.StatusOK {
			t.Errorf("the only request: status %d: %s", status, body)
		}
	}
}

// slowBodies serves a Receiver with BODY_TIMEOUT=200ms in a synctest bubble, with our server or
// with one that has no limits, as that of the Functions Framework.
func slowBodies(t *testing.T, ours bool) *pipes {
	t.Helper()
	getenv := env("SINKS", "log:", "BODY_TIMEOUT", "200ms")
	c, err := environment(getenv).Parse(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r := function.New(environment(getenv), log)
	l := listen()
	framework := &http.Server{Handler: r}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		if ours {
			ended <- function.Serve(ctx, l, r, c.Limits, log)
			return
		}
		ended <- framework.Serve(l)
	}()
	t.Cleanup(func() {
		stop()
		_ = framework.Close()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestServeHTTP_bodyTimeout(t *testing.T) {
	const limit = "the body has not arrived within 200ms, the limit of BODY_TIMEOUT"
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprintf("our server %t", ours), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := slowBodies(t, ours)
				p := l.dialPeer(t)
				p.post("Content-Length: 100")
				p.wantProblem(http.StatusRequestTimeout, limit+"; got 0 bytes")
				p.wantClosed()

				p = l.dialPeer(t)
				p.post("Transfer-Encoding: chunked")
				p.write("3\r\n[  \r\n")
				p.wantProblem(http.StatusRequestTimeout, limit+"; got 3 bytes")
				p.wantClosed()

				p = l.dialPeer(t)
				p.post("Content-Length: 100", "Expect: 100-continue")
				if status, _, _ := p.read(); status != http.StatusContinue {
					t.Errorf("status %d", status)
				}
				p.wantProblem(http.StatusRequestTimeout, limit)
				p.wantClosed()
			})
		})
	}
}

// Over HTTP/2, other requests on the connection are still answered after a body timeout.
func TestServeHTTP_bodyTimeoutOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slowBodies(t, true)
		c := client(t, true)
		c.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return l.dial() }
		body, w := io.Pipe()
		defer w.Close()
		resp, err := c.Post("http://sink", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "BODY_TIMEOUT") {
			t.Errorf("status %d: %s", resp.StatusCode, text)
		}
		resp, err = c.Post("http://sink", "application/json", strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestServeHTTP_wrongBodyLength(t *testing.T) {
	address := start(t, "MAX_BODY", "1MiB")

	t.Run("length over the limit", func(t *testing.T) {
		p := dial(t, address)
		p.post("Content-Length: 1048577")
		p.wantProblem(http.StatusRequestEntityTooLarge, "more than 1048576 bytes, the limit of MAX_BODY")
		p.wantClosed()
	})
	t.Run("length over the limit, with Expect", func(t *testing.T) {
		p := dial(t, address)
		p.post("Content-Length: 1048577", "Expect: 100-continue")
		p.wantProblem(http.StatusRequestEntityTooLarge, "MAX_BODY")
		p.wantClosed()
	})
	t.Run("chunked, over the limit", func(t *testing.T) {
		p := dial(t, address)
		p.post("Transfer-Encoding: chunked")
		go func() { // until the server closes the connection
			for i := 0; i < 1000; i++ {
				if _, err := fmt.Fprintf(p.conn, "10000\r\n%s\r\n", strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}()
		p.wantProblem(http.StatusRequestEntityTooLarge, "MAX_BODY")
	})
	t.Run("shorter than its length", func(t *testing.T) {
		p := dial(t, address)
		p.post("Content-Length: 100")
		p.write("[secret")
		if err := p.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.wantProblem(http.StatusBadRequest, "the body ends after 7 bytes: unexpected EOF")
	})
	t.Run("invalid chunk", func(t *testing.T) {
		p := dial(t, address)
		p.post("Transfer-Encoding: chunked")
		p.write("xyz\r\n")
		p.wantProblem(http.StatusBadRequest, "the body ends after 0 bytes")
	})
	t.Run("two lengths", func(t *testing.T) {
		p := dial(t, address)
		p.post("Content-Length: 1", "Content-Length: 2")
		if status, _, _ := p.read(); status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
		p.wantClosed()
	})
}

// A body of a media type that is not accepted is refused without reading it: a client that
// asks with Expect does not send it at all.
func TestServeHTTP_mediaTypeComesBeforeBody(t *testing.T) {
	r, _ := newReceiver(t, env("SINKS", "log:"))
	framework := httptest.NewServer(r)
	t.Cleanup(framework.Close)
	for name, address := range map[string]string{"our server": start(t), "a server without limits": framework.Listener.Addr().String()} {
		for _, length := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			for _, mediaType := range []string{"text/plain", "application/json; charset", ""} {
				p := dial(t, address)
				p.write("POST / HTTP/1.1\r\nHost: sink\r\nContent-Type: " + mediaType + "\r\n" + length + "\r\nExpect: 100-continue\r\n\r\n")
				if status, _, body := p.read(); status != http.StatusUnsupportedMediaType {
					t.Errorf("%s, %s, %q: status %d: %s", name, length, mediaType, status, body)
				}
			}
		}
	}
	// Nor does it wait for the sinks.
	r, _ = newReceiver(t, env("SINKS", "kafka://x"))
	if w := post(r, "text/plain", "x"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	// An empty POST needs no media type.
	r, _ = newReceiver(t, env("SINKS", "log:"))
	for _, mediaType := range []string{"", "text/plain"} {
		if w := post(r, mediaType, ""); w.Code != http.StatusOK {
			t.Errorf("empty body of %q: status %d: %s", mediaType, w.Code, w.Body)
		}
	}
}

// A long Content-Length without a body takes no memory.
func TestServeHTTP_announcedLengthTakesNoMemory(t *testing.T) {
	address := start(t)
	const peers = 300
	grown := peak(func() {
		for range peers {
			p := dial(t, address)
			p.post("Content-Length: 33554432", "Expect: 100-continue")
			if status, _, _ := p.read(); status != http.StatusContinue {
				t.Errorf("status %d", status)
			}
		}
	})
	if grown > peers*64<<10 {
		t.Errorf("%d announced bodies of 32 MiB take %d KiB", peers, grown>>10)
	}
}
