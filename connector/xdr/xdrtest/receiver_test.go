package xdrtest_test

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// receiver is a minimal connector: it keeps every change that it acknowledges.
type receiver struct {
	net.Listener
	answer func(n int, c *change.Change) xdr.Code // nil is always OK

	mu          sync.Mutex
	got         []xdrtest.Version
	changes     []change.Change
	frames      []xdr.Frame
	malformed   int
	connections int
	open        []net.Conn
}

func newReceiver(t *testing.T, answer func(n int, c *change.Change) xdr.Code) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Listener: l, answer: answer}
	t.Cleanup(func() { l.Close(); r.hangUp() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.connections++
			r.open = append(r.open, conn)
			r.mu.Unlock()
			go r.serve(conn)
		}
	}()
	return r
}

func (r *receiver) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.open {
		conn.Close()
	}
	r.open = nil
}

func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	d := xdr.NewDecoder(xdr.MaxSize, func() time.Time { return changetest.Receipt })
	for frames := xdr.NewReader(conn, xdr.MaxSize); ; {
		f, err := frames.Next()
		if err != nil {
			return
		}
		if _, err := conn.Write(xdr.AppendReply(nil, r.take(d, f))); err != nil {
			return
		}
	}
}

func (r *receiver) take(d *xdr.Decoder, f xdr.Frame) xdr.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	var c change.Change
	if err := d.Decode(f, &c); err != nil {
		r.malformed++
		return xdr.Retry
	}
	r.frames = append(r.frames, f)
	if r.answer != nil {
		if code := r.answer(len(r.frames), &c); code != xdr.OK {
			return code
		}
	}
	r.got = append(r.got, xdrtest.VersionOf(&c))
	r.changes = append(r.changes, c)
	return xdr.OK
}

func (r *receiver) versions() []xdrtest.Version {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}
