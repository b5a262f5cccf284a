package main

import (
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// When the connector is killed, every change that got an OK reply is at the destination.
// The next connector gets the others.
func TestBinary_killed(t *testing.T) {
	testRestarts(t, func(b *binary) {
		if err := b.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := b.Wait(); err == nil {
			t.Error("exit status 0")
		}
	})
}

// When the connector is terminated under load, it loses no change that got an OK reply,
// and exits in time with status 0.
func TestBinary_terminatedUnderLoad(t *testing.T) {
	testRestarts(t, func(b *binary) { b.terminate(t) })
}

// testRestarts ends a connector three times while it works, and each time starts another
// on the same port.
func testRestarts(t *testing.T, end func(*binary)) {
	t.Helper()
	l := delivertest.New(t, delivertest.Mixed(20, delivertest.Reset, delivertest.Busy, delivertest.Half))
	b := startBinary(t, 0, forward(l.URL, "")+batching)
	var acks acknowledged
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, RetryAfter: 2 * time.Millisecond, Answered: acks.note}
	ship(t, s)
	stop := offer(t, s, shortRate)
	for range 3 {
		before := acks.len()
		changetest.WaitFor(t, "acknowledged changes", func() bool { return acks.len() >= before+shortRate/4 })
		end(b)
		acks.wantAll(t, l)
		b = startBinary(t, b.port(t), forward(l.URL, "")+batching)
	}
	stop()
	settle(t, s)
	acks.wantAll(t, l)
	wantNewest(t, s, l)
	b.terminate(t)
}
