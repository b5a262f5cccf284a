package deliver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
)

// lines is an Envelope that concatenates records, which end in a newline.
type lines struct{}

func (lines) Name() string { return "lines" }

func (lines) Seal(records []byte, n int) ([]byte, string) {
	return records, fmt.Sprintf("text/plain; n=%d", n)
}

// batches returns a stream with these limits and no Interval.
func batches(records, bytes int) *deliver.Stream {
	return &deliver.Stream{Envelope: lines{}, MaxRecords: records, MaxBytes: bytes}
}

// alone is a stream that sends each change in its own request.
var alone = batches(1, 1<<20)

// config returns a Config for urls with limits that no test reaches by accident.
func config(t testing.TB, urls ...string) deliver.Config {
	t.Helper()
	c := deliver.Config{
		Name: "there", Config: post.Config{Connections: 1, Streams: 100, ConnectTimeout: time.Minute},
		Queue: 32768, CallTimeout: time.Minute,
	}
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		c.URLs = append(c.URLs, u)
	}
	return c
}

// open returns a destination that is aborted at the end of the test.
func open(t *testing.T, c deliver.Config) *deliver.Destination {
	t.Helper()
	d := deliver.New(c)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		d.Close(ctx)
	})
	return d
}

// server starts a server that speaks HTTP/1.1 and clear-text HTTP/2 on one port.
func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// verdict is a change.Recipient that a test can wait for.
type verdict chan error

func (v verdict) Done(err error) { v <- err }

func (v verdict) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-v:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("no verdict")
		return nil
	}
}

// send sends one record with a deadline in a minute.
func send(d *deliver.Destination, s *deliver.Stream, partition int, record string) verdict {
	v := make(verdict, 1)
	d.Send(deliver.Item{Stream: s, Record: []byte(record), Partition: partition, Deadline: time.Now().Add(50 * time.Second), To: v})
	return v
}

func TestDestination_protocols(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintln(w, "ignored")
		if got := fmt.Sprintf("%s %s %q %s %s", r.Method, r.RequestURI, body, r.Header.Get("Content-Type"), r.Header.Get("X-Fixed")); got !=
			`POST /in?k=v "hello\n" text/plain; n=1 yes` {
			t.Errorf("request %s", got)
		}
		w.Header().Set("Proto", r.Proto)
	}
	var proto atomic.Value
	record := func(w http.ResponseWriter, r *http.Request) { proto.Store(r.Proto); handler(w, r) }
	plain := server(t, record)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(record))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	old := httptest.NewUnstartedServer(http.HandlerFunc(record)) // without HTTP/2
	old.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	old.StartTLS()
	t.Cleanup(old.Close)
	trust := x509.NewCertPool()
	trust.AddCert(secure.Certificate())
	trust.AddCert(old.Certificate())

	for _, tt := range []struct {
		name     string
		protocol post.Protocol
		url      string
		want     string
		err      string
	}{
		{"clear-text HTTP/2 with prior knowledge", post.HTTP2, plain.URL, "HTTP/2.0", ""},
		{"clear-text HTTP/1.1", post.HTTP1, plain.URL, "HTTP/1.1", ""},
		{"HTTP/2 over TLS", post.HTTP2, secure.URL, "HTTP/2.0", ""},
		{"HTTP/1.1 over TLS", post.HTTP1, secure.URL, "HTTP/1.1", ""},
		{"server without HTTP/2", post.HTTP2, old.URL, "", "set HTTP_1_1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t, tt.url+"/in?k=v")
			c.Protocol = tt.protocol
			c.TLS = &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}
			c.Headers = []post.Header{{Name: "X-Fixed", Text: "yes"}}
			err := send(open(t, c), alone, 0, "hello\n").wait(t)
			if tt.err != "" {
				wantError(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := proto.Load(); got != tt.want {
				t.Errorf("protocol %v, want %s", got, tt.want)
			}
		})
	}
}

// wantError checks that err contains want and is not permanent.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || change.IsPermanent(err) {
		t.Errorf("error %v, want one that contains %q and is not permanent", err, want)
	}
}

func TestDestination_statuses(t *testing.T) {
	var status atomic.Int64
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere?token=secret")
		w.WriteHeader(int(status.Load()))
	})
	d := open(t, config(t, s.URL))
	only202 := config(t, s.URL)
	only202.Success = func(status int) bool { return status == 202 }
	p := open(t, only202)
	for _, tt := range []struct {
		d         *deliver.Destination
		status    int64
		delivered bool
		permanent bool
	}{
		{d, 200, true, false}, {d, 204, true, false}, {d, 299, true, false},
		{d, 301, false, false}, {d, 302, false, false}, {d, 304, false, false},
		{d, 400, false, true}, {d, 413, false, true}, {d, 415, false, true}, {d, 422, false, true},
		{d, 401, false, false}, {d, 403, false, false}, {d, 404, false, false}, {d, 405, false, false},
		{d, 408, false, false}, {d, 409, false, false}, {d, 429, false, false},
		{d, 500, false, false}, {d, 502, false, false}, {d, 503, false, false}, {d, 504, false, false},
		{p, 202, true, false}, {p, 200, false, false},
	} {
		status.Store(tt.status)
		err := send(tt.d, alone, 0, "x\n").wait(t)
		if (err == nil) != tt.delivered || change.IsPermanent(err) != tt.permanent {
			t.Errorf("status %d: %v, want delivered: %t, permanent: %t", tt.status, err, tt.delivered, tt.permanent)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("destination there: POST %s: status %d", s.URL, tt.status)) {
			t.Errorf("status %d: %v", tt.status, err)
		}
		if redirect := ", redirects to " + s.URL + "/elsewhere"; err != nil && strings.HasSuffix(err.Error(), redirect) != (tt.status/100 == 3 && tt.status != 304) {
			t.Errorf("status %d: %v, want %q at the end of redirects only", tt.status, err, redirect)
		}
	}
}

func TestDestination_fullQueue(t *testing.T) {
	h := newBlockingServer(t)
	c := config(t, h.URL)
	c.Queue = 3
	d := open(t, c)
	var verdicts []verdict
	for i := range 5 {
		verdicts = append(verdicts, send(d, alone, 0, fmt.Sprint(i)))
	}
	for _, v := range verdicts[3:] {
		wantError(t, v.wait(t), "destination there: queue is full")
	}
	for range 3 {
		h.release <- struct{}{}
	}
	for _, v := range verdicts[:3] {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
}

func TestDestination_deadlines(t *testing.T) {
	h := newBlockingServer(t)
	d := open(t, config(t, h.URL))
	s := batches(10, 1000)
	gate := send(d, s, 0, "gate\n")
	<-h.arrived
	inTime := func(in time.Duration, record string) verdict {
		v := make(verdict, 1)
		d.Send(deliver.Item{Stream: s, Record: []byte(record), Deadline: time.Now().Add(in), To: v})
		return v
	}
	a, late, b := inTime(time.Minute, "a\n"), inTime(-time.Second, "late\n"), inTime(time.Minute, "b\n")
	h.release <- struct{}{}
	if err := gate.wait(t); err != nil {
		t.Error(err)
	}
	wantError(t, late.wait(t), "no time left for a request")
	if body := <-h.arrived; body != "a\nb\n" {
		t.Errorf("sent %q, want all but the expired item", body)
	}
	h.release <- struct{}{}
	for _, v := range []verdict{a, b} {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	hung := inTime(50*time.Millisecond, "hung\n")
	<-h.arrived
	wantError(t, hung.wait(t), "no response in time")
}

func TestDestination_callTimeout(t *testing.T) {
	h := newBlockingServer(t)
	c := config(t, h.URL)
	c.CallTimeout = 50 * time.Millisecond
	wantError(t, send(open(t, c), alone, 0, "x").wait(t), "no response in time")
}

func TestDestination_connectionRefused(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	u := s.URL
	s.Close()
	err := send(open(t, config(t, strings.Replace(u, "http://", "http://user:secret@", 1)+"/?token=secret")), alone, 0, "x").wait(t)
	wantError(t, err, "connection refused")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

func TestStream_interval(t *testing.T) {
	h := newBlockingServer(t)
	d := open(t, config(t, h.URL))
	s := &deliver.Stream{Envelope: lines{}, MaxRecords: 2, MaxBytes: 1000, Interval: time.Hour}
	send(d, s, 0, "1\n")
	send(d, s, 0, "2\n") // full: sent at once
	h.release <- struct{}{}
	if body := <-h.arrived; body != "1\n2\n" {
		t.Errorf("sent %q", body)
	}
	soon := &deliver.Stream{Envelope: lines{}, MaxRecords: 100, MaxBytes: 1000, Interval: 10 * time.Millisecond}
	send(d, soon, 0, "3\n")
	send(d, soon, 0, "4\n")
	h.release <- struct{}{}
	if body := <-h.arrived; body != "3\n4\n" {
		t.Errorf("sent %q", body)
	}
}

func TestClose(t *testing.T) {
	t.Run("sends queued changes", func(t *testing.T) {
		var got bytes.Buffer
		var mu sync.Mutex
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			_, _ = got.ReadFrom(r.Body)
		})
		d := deliver.New(config(t, s.URL))
		patient := &deliver.Stream{Envelope: lines{}, MaxRecords: 100, MaxBytes: 1000, Interval: time.Hour}
		verdicts := []verdict{send(d, patient, 0, "a\n"), send(d, patient, 0, "b\n")}
		d.Close(t.Context())
		for _, v := range verdicts {
			if err := v.wait(t); err != nil {
				t.Error(err)
			}
		}
		if got.String() != "a\nb\n" {
			t.Errorf("sent %q", got.String())
		}
		wantError(t, send(d, patient, 0, "c\n").wait(t), "shutting down")
	})
	t.Run("with a cancelled context", func(t *testing.T) {
		h := newBlockingServer(t)
		d := deliver.New(config(t, h.URL))
		inFlight, waiting := send(d, alone, 0, "a"), send(d, alone, 0, "b")
		<-h.arrived
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d.Close(ctx)
		wantError(t, inFlight.wait(t), "shutting down")
		wantError(t, waiting.wait(t), "shutting down")
	})
}
