package function_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function"
)

// A header that exceeds the limit is refused with a problem, one that exceeds it by far is
// refused by net/http.
func TestServe_headerLimit(t *testing.T) {
	address := start(t, "MAX_HEADER", "8KiB")
	const least = len("POST / HTTP/1.1\r\nHost: sink\r\nContent-Type: application/json\r\nContent-Length: 0\r\nX: \r\n")
	for _, tt := range []struct {
		size, status int
		problem      bool
	}{
		{8 << 10, 200, false},
		{8<<10 + 1, 431, true},
		{16 << 10, 431, true},
		{100 << 10, 431, false},
	} {
		p := dial(t, address)
		p.post("Content-Length: 0", "X: "+strings.Repeat("x", tt.size-least))
		switch {
		case tt.problem:
			p.wantProblem(tt.status, "the header has more than 8192 bytes, the limit of MAX_HEADER")
			p.wantClosed()
		default:
			if status, _, body := p.read(); status != tt.status {
				t.Errorf("%d bytes: status %d: %s", tt.size, status, body)
			}
		}
	}
	for size, want := range map[int]int{7 << 10: 200, 12 << 10: 431} {
		req, err := http.NewRequest(http.MethodGet, "http://"+address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X", strings.Repeat("x", size))
		resp, err := client(t, true).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%d bytes over HTTP/2: status %d, want %d", size, resp.StatusCode, want)
		}
	}
}

// healthy checks that a request over each protocol is answered.
func healthy(t *testing.T, address string) {
	t.Helper()
	for _, http2 := range []bool{false, true} {
		c := client(t, http2)
		c.Timeout = time.Minute
		resp, err := c.Post("http://"+address, "application/json", strings.NewReader("[]"))
		if err != nil {
			t.Fatalf("HTTP/2 %t: %v", http2, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("HTTP/2 %t: status %d", http2, resp.StatusCode)
		}
	}
}

// needFiles skips the test if the process may not open n files.
func needFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < n {
		t.Skipf("the process may open %d files, the test needs %d: %v", limit.Cur, n, err)
	}
}

// A thousand idle connections, and a thousand that send a header byte by byte, do not disturb
// other requests. The slow ones are closed after HEADER_TIMEOUT.
func TestServe_idleAndSlowClients(t *testing.T) {
	needFiles(t, 5000)
	address := start(t, "HEADER_TIMEOUT", "2s")
	const peers = 1000
	idle, slow := make([]*peer, peers), make([]*peer, peers)
	for i := range peers {
		idle[i] = dial(t, address)
		idle[i].post("Content-Length: 2")
		idle[i].write("[]")
		if status, _, _ := idle[i].read(); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	began := time.Now()
	for i := range peers {
		slow[i] = dial(t, address)
		slow[i].write("P")
	}
	healthy(t, address)
	head := "OST / HTTP/1.1\r\nX: " + strings.Repeat("x", 1000)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	open := atomic.Int64{}
	open.Store(peers)
	for _, p := range slow {
		go func() { // until the server closes the connection
			_, _ = io.Copy(io.Discard, p.conn)
			open.Add(-1)
		}()
	}
	for i := 0; open.Load() > 0; i++ {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%d slow connections are still open after %s", open.Load(), time.Since(began))
		}
		<-tick.C
		for _, p := range slow {
			_, _ = io.WriteString(p.conn, head[i%len(head):i%len(head)+1])
		}
		if i%5 == 0 {
			healthy(t, address)
		}
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("all slow connections closed after %s, too early", took)
	}
	for _, p := range []*peer{idle[0], idle[peers-1]} {
		p.post("Content-Length: 2")
		p.write("[]")
		if status, _, _ := p.read(); status != http.StatusOK {
			t.Errorf("request after idling: status %d", status)
		}
	}
}

// streams is an HTTP/2 client that writes raw frames.
type streams struct {
	*http2.Framer
	conn net.Conn
	next uint32
	head bytes.Buffer
}

func dialStreams(t *testing.T, address string) *streams {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &streams{Framer: http2.NewFramer(conn, conn), conn: conn, next: 1}
	s.begin(t)
	return s
}

// begin sends the preface and the settings.
func (s *streams) begin(t *testing.T, settings ...http2.Setting) {
	t.Helper()
	if _, err := io.WriteString(s.conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
}

// open opens a stream: it sends the header of a request, whose body is to follow.
func (s *streams) open() (id uint32, err error) {
	s.head.Reset()
	e := hpack.NewEncoder(&s.head)
	e.SetMaxDynamicTableSizeLimit(0)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "sink"}, {"content-type", "application/json"}} {
		if err := e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			return 0, err
		}
	}
	id, s.next = s.next, s.next+2
	return id, s.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: s.head.Bytes(), EndHeaders: true})
}

// Of ten thousand requests that are reset at once, no more run concurrently than the limit of
// streams, and other requests are answered.
func TestServe_rapidReset(t *testing.T) {
	var running, most, served atomic.Int64
	url, _, _ := serveWith(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		served.Add(1)
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		_, _ = io.Copy(io.Discard, req.Body)
	}), limits)
	address := strings.TrimPrefix(url, "http://")
	s := dialStreams(t, address)
	go func() { _, _ = io.Copy(io.Discard, s.conn) }()
	sent := 0
	for ; sent < 10_000; sent++ {
		id, err := s.open()
		if err == nil {
			err = s.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			break // the server has closed the connection
		}
	}
	healthy(t, address)
	changetest.WaitFor(t, "the end of all requests", func() bool { return running.Load() == 0 })
	if most.Load() > 250+2 || served.Load() == 0 {
		t.Errorf("%d of %d requests at once", most.Load(), served.Load())
	}
	t.Logf("%d sent, %d served, %d at once", sent, served.Load(), most.Load())
}

// Concurrent requests on a connection beyond the limit of streams are refused.
func TestServe_streamsLimit(t *testing.T) {
	var running atomic.Int64
	release := make(chan struct{})
	url, _, _ := serveWith(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		running.Add(1)
		<-release
	}), limits)
	defer close(release)
	address := strings.TrimPrefix(url, "http://")
	s := dialStreams(t, address)
	if err := s.WriteSettingsAck(); err != nil {
		t.Fatal(err)
	}
	// The server enforces the limit once the client has acknowledged its settings.
	refused := make(chan http2.ErrCode, 1)
	acknowledged := make(chan struct{})
	go func() {
		for {
			frame, err := s.ReadFrame()
			if err != nil {
				return
			}
			switch f := frame.(type) {
			case *http2.SettingsFrame:
				if n, ok := f.Value(http2.SettingMaxConcurrentStreams); ok && n != 250 {
					t.Errorf("limit of %d streams, want 250", n)
				}
				if f.IsAck() {
					close(acknowledged)
				}
			case *http2.RSTStreamFrame:
				refused <- f.ErrCode
				return
			}
		}
	}()
	<-acknowledged
	for range 251 {
		if _, err := s.open(); err != nil {
			t.Fatal(err)
		}
	}
	if code := <-refused; code != http2.ErrCodeRefusedStream && code != http2.ErrCodeProtocol {
		t.Errorf("refused with %s", code)
	}
	changetest.WaitFor(t, "250 requests", func() bool { return running.Load() == 250 })
}

// If a client opens no flow-control window for its answers, each request still ends in time,
// and so does the server.
func TestServe_unreadAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen()
		ctx, stop := context.WithCancel(t.Context())
		r := function.New(environment(env("SINKS", "log:", "AUTH_TOKENS", "correct-horse-battery")), slog.New(slog.DiscardHandler))
		defer r.Close()
		ended := make(chan error, 1)
		go func() { ended <- function.Serve(ctx, l, r, limits, slog.New(slog.DiscardHandler)) }()
		conn, err := l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		s := &streams{Framer: http2.NewFramer(conn, conn), conn: conn, next: 1}
		var resets atomic.Int64
		go func() {
			for {
				frame, err := s.ReadFrame()
				if err != nil {
					return
				}
				if frame.Header().Type == http2.FrameRSTStream {
					resets.Add(1)
				}
			}
		}()
		s.begin(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		const requests = 100
		for range requests {
			if _, err := s.open(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(9 * time.Second)
		if n := resets.Load(); n > 0 {
			t.Errorf("%d requests ended too early", n)
		}
		time.Sleep(2 * time.Second)
		if n := resets.Load(); n != requests {
			t.Errorf("%d of %d requests ended", n, requests)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
