package main

import (
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Killed at any moment, the connector has told no lie: every change answered with
// OK is at the destination. The next one gets what is left.
func TestBinaryKilled(t *testing.T) {
	died(t, func(b *binary) {
		if err := b.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := b.Wait(); err == nil {
			t.Error("it exited with 0")
		}
	})
}

// Told to stop under load, it loses nothing that was acknowledged, and exits 0 in
// time.
func TestBinaryStoppedUnderLoad(t *testing.T) {
	died(t, func(b *binary) { b.terminate(t) })
}

// died ends a connector three times in the middle of its work, and starts another
// in its place.
func died(t *testing.T, end func(*binary)) {
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
