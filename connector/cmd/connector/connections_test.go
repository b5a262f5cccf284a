package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func frame(t *testing.T, i int) xdr.Frame {
	t.Helper()
	c := user("users", i)
	c.Generation, c.LUT = 1, changetest.Receipt.UnixMilli()
	f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A malformed message gets a retry reply, and the change after it is delivered. A frame
// whose length cannot be trusted ends the connection, after the replies before it.
func TestBinary_malformedMessages(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, ""))
	framing, messages := malformed(t)
	try := func(message []byte, want ...xdr.Code) {
		conn := dial(t, b.xdr)
		stream := append(append(append([]byte{}, frame(t, 1)...), message...), frame(t, 2)...)
		if _, err := conn.Write(stream); err != nil {
			t.Fatal(err)
		}
		replies := xdr.NewReader(conn, 0)
		for i, code := range want {
			f, err := replies.Next()
			if err != nil {
				t.Fatalf("%x: reply %d: %v", message, i, err)
			}
			if got, err := xdr.ParseReply(f); err != nil || got != code {
				t.Errorf("%x: reply %d is %d, %v, want %d", message, i, got, err, code)
			}
		}
		if len(want) == 1 {
			if _, err := replies.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%x: %v, want the end of the connection", message, err)
			}
		}
	}
	for _, m := range messages {
		try(m, xdr.OK, xdr.Retry, xdr.OK)
	}
	for _, m := range framing {
		try(m, xdr.OK)
	}
	if got := b.answered(t, "parse-error"); got != len(messages) {
		t.Errorf("%d parse errors counted, want %d", got, len(messages))
	}
	b.terminate(t)
}

// Connections that send nothing, that stop within a frame, or that do not read their
// replies do not affect the others.
func TestBinary_stuckConnections(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching)
	dial(t, b.xdr)
	half := dial(t, b.xdr)
	if _, err := half.Write(frame(t, 1)[:50]); err != nil {
		t.Fatal(err)
	}
	blocked := dial(t, b.xdr)
	if err := blocked.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		f := frame(t, 2)
		for {
			if _, err := blocked.Write(f); err != nil {
				return
			}
		}
	}()
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, Faults: xdrtest.Faults{Split: true}}
	ship(t, s)
	live(s, 1000)
	settle(t, s)
	for d, v := range s.Newest("test") {
		if !l.Has(v) {
			t.Errorf("record %s is not at the destination", d)
		}
	}
	blocked.Close()
	b.terminate(t)
}

// A thousand idle connections take little memory, and release it and their goroutines
// when they end.
func TestBinary_idleConnections(t *testing.T) {
	const many, each = 1000, 64 << 10 // bytes, with a margin
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching)
	held := func() float64 { // the heap and stacks, which the race detector does not enlarge
		return b.metric(t, "go_memstats_heap_inuse_bytes") + b.metric(t, "go_memstats_stack_inuse_bytes")
	}
	goroutines, memory := b.metric(t, "go_goroutines"), held()
	conns := make([]net.Conn, many)
	for i := range conns {
		conns[i] = dial(t, b.xdr)
		if _, err := conns[i].Write(frame(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	changetest.WaitFor(t, "a reply on each", func() bool { return b.answered(t, "success") == many })
	if grown := held() - memory; grown > many*each {
		t.Errorf("%d idle connections take %.0f bytes, at most %d each", many, grown, each)
	}
	for _, conn := range conns {
		conn.Close()
	}
	changetest.WaitFor(t, "the end of their goroutines", func() bool { return b.metric(t, "go_goroutines") < goroutines+150 })
	b.terminate(t)
}
