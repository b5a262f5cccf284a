package intake

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/aerosink/aerosink/function/problem"
)

// problemOf returns the problem that err is.
func problemOf(t *testing.T, err error) *problem.Problem {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Fatalf("error %v is not a problem", err)
	}
	return p
}

// gzipRequest returns a request with a body in gzip.
func gzipRequest(ctx context.Context, t *testing.T) *http.Request {
	t.Helper()
	body := bytes.NewReader(compress(t, []*coding{gzipCoding}, []byte("[]")))
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
	req.Header.Set("Content-Encoding", "gzip")
	return req
}

// A body that waits too long to be inflated has nothing to do with MAX_IN_FLIGHT, and a server
// that stops is not overloaded.
func TestReader_waitToInflate(t *testing.T) {
	limits := Limits{Body: 1 << 20, Inflated: 1 << 20, InFlight: 1 << 20, BodyTimeout: 10 * time.Second}
	errGone := errors.New("the client has gone")
	for _, tt := range []struct {
		name       string
		cause      error // why the request is cancelled after a second; nil if it is not
		status     int
		detail     string
		retryAfter string
		took       time.Duration
	}{
		{"timeout", nil, 429, "the body has waited 10s to be inflated, the limit of BODY_TIMEOUT; send it again a little later", "1", 10 * time.Second},
		{"stop", ErrStopping, 503, "the server is stopping before the body was inflated", "", time.Second},
		{"cancelled", errGone, 503, "the request was cancelled before the body was inflated: the client has gone", "", time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewReader(limits)
				for range cap(r.inflating) {
					r.inflating <- struct{}{}
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				began := time.Now()
				if tt.cause != nil {
					time.AfterFunc(time.Second, func() { cancel(tt.cause) })
				}
				body := r.Buffer()
				p := problemOf(t, r.Read(httptest.NewRecorder(), gzipRequest(ctx, t), body))
				if p.Status != tt.status || p.Detail != tt.detail || p.Header.Get("Retry-After") != tt.retryAfter || time.Since(began) != tt.took {
					t.Errorf("status %d, %q, %v after %s", p.Status, p.Detail, p.Header, time.Since(began))
				}
				body.Free()
				if n := r.InFlight(); n != 0 {
					t.Errorf("%d bytes are still held", n)
				}
			})
		})
	}
}

// The answer to an overload says what is held and what is needed, not only the limit.
func TestReader_overload(t *testing.T) {
	r := NewReader(Limits{Body: 1 << 20, Inflated: 1 << 20, InFlight: 40 << 10, BodyTimeout: 10 * time.Second})
	read := func(n int, body *Buffer) error {
		return r.Read(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", n))), body)
	}
	first, second := r.Buffer(), r.Buffer()
	defer first.Free()
	if err := read(32<<10, first); err != nil {
		t.Fatal(err)
	}
	p := problemOf(t, read(10_000, second))
	const want = "the requests in flight hold 40960 bytes and this one needs 8192 more, beyond 40960 bytes, the limit of MAX_IN_FLIGHT; send it again a little later"
	if p.Status != http.StatusTooManyRequests || p.Detail != want || p.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, %v: %s", p.Status, p.Header, p.Detail)
	}
	second.Free()
	if n := r.InFlight(); n != 32<<10 {
		t.Errorf("%d bytes are held, want %d", n, 32<<10)
	}
}

// A pooled inflater does not keep the body that it has read.
func TestInflate_keepsNoBody(t *testing.T) {
	limits := Limits{Body: 1 << 20, Inflated: 1 << 20}
	for _, c := range []*coding{gzipCoding, zstdCoding} {
		pooled := c.inflaters.New() // the pool's only one
		alone := &coding{name: c.name}
		alone.inflaters.New = func() any { return pooled }
		// The allocator puts objects of less than 16 bytes together, so the body has more.
		whole := compress(t, []*coding{c}, []byte(rand.Text()+rand.Text()+rand.Text()))
		for name, text := range map[string][]byte{"whole": whole, "cut off": whole[:len(whole)/2], "no header": bytes.Repeat([]byte("x"), 100)} {
			read := func() weak.Pointer[byte] {
				body := bytes.Clone(text)
				b := Buffer{counter: &memoryCounter{limit: 1 << 20}, max: limits.Inflated}
				defer b.Free()
				err := inflate(bytes.NewReader(body), []*coding{alone}, &limits, func(r io.Reader) error { return b.readAll(r, 0) })
				if (err == nil) != (name == "whole") {
					t.Errorf("%s, %s: %v", c.name, name, err)
				}
				return weak.Make(&body[0])
			}
			body := read()
			runtime.GC()
			if body.Value() != nil {
				t.Errorf("%s, %s: the body is still referenced", c.name, name)
			}
			runtime.KeepAlive(pooled)
		}
	}
}
