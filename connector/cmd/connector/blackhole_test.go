package main

import (
	"flag"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

var blackhole = flag.Duration("blackhole", 0, "how long the destination hangs in TestBinary_BlackHole; 0 is a few seconds, without bounds on times and memory")

// shortRate is the number of changes offered per second in tests without bounds on
// times: the machine may be slow or busy.
const shortRate = 1000

// The bounds of the long run.
const (
	longRate     = 10_000           // changes offered per second
	memoryBound  = 256 << 20        // bytes of the connector's process
	replyBound   = 10 * time.Second // from sending a change to its reply
	recoverBound = 5 * time.Second  // from the destination's return to the full rate
)

// While a destination hangs, changes keep coming. Memory and goroutines stay flat, every
// change gets a retry reply in time, and the full rate returns with the destination.
func TestBinary_BlackHole(t *testing.T) {
	hang, rate, hangs := 3*time.Second, shortRate, new(atomic.Bool)
	if *blackhole > 0 {
		hang, rate = *blackhole, longRate
	}
	l := delivertest.New(t, func(int) delivertest.Fault {
		if hangs.Load() {
			return delivertest.Hang
		}
		return delivertest.None
	})
	// The call timeout is ESP's default. Requests that hang end after it, even if the
	// destination is back.
	config := strings.Replace(forward(l.URL, ""), "call-timeout: 8s", "call-timeout: 1s", 1)
	b := startBinary(t, 0, config+"batching: {max-records: 500}\n")
	var acks acknowledged
	s := &xdrtest.Source{Address: b.xdr, Connections: 8, Window: 4000, Answered: acks.note}
	ship(t, s)
	stop := offer(t, s, rate)
	changetest.WaitFor(t, "the full rate", func() bool { return acks.len() > rate })
	goroutines := b.metric(t, "go_goroutines")

	hangs.Store(true)
	memory, most := b.watch(t, hang)
	slowest, retries := acks.slow()
	hangs.Store(false)
	back, before := time.Now(), acks.len()
	changetest.WaitFor(t, "a second's worth of changes", func() bool { return acks.len() > before+rate })
	took := time.Since(back)
	stop()
	settle(t, s)
	acks.wantAll(t, l)
	wantNewest(t, s, l)
	t.Logf("%v without a destination: at most %.0f MiB and %.0f goroutines (%.0f before), %d retries, slowest reply after %v, %d changes %v after its return",
		hang, memory/(1<<20), most, goroutines, retries, slowest, rate, took)
	if retries == 0 {
		t.Error("no change got a retry reply, so nothing was tested")
	}
	if *blackhole > 0 && (memory > memoryBound || most > 2*goroutines+200 || slowest > replyBound || took > recoverBound) {
		t.Error("out of bounds")
	}
	b.terminate(t)
}

// watch returns the most memory, in bytes, and the most goroutines that the process has
// within a duration.
func (b *binary) watch(t *testing.T, duration time.Duration) (memory, goroutines float64) {
	t.Helper()
	look, over := time.NewTicker(100*time.Millisecond), time.After(duration)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			memory = max(memory, b.metric(t, "process_resident_memory_bytes"))
			goroutines = max(goroutines, b.metric(t, "go_goroutines"))
		case <-over:
			return memory, goroutines
		}
	}
}

// slow returns the slowest reply so far, and the number of retry replies.
func (a *acknowledged) slow() (slowest time.Duration, retries int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.slowest, a.retries
}
