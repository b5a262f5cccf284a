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

var blackhole = flag.Duration("blackhole", 0, "how long the destination hangs in TestBinaryBlackHole; 0 is a few seconds, with nothing said about times and sizes")

// What the long run must hold to.
const (
	offered      = 10_000           // changes a second
	memoryBound  = 256 << 20        // bytes of the connector's process
	replyBound   = 10 * time.Second // from a change's being sent to its reply
	recoverBound = 5 * time.Second  // from the destination's return to the full rate
)

// A destination hangs while changes keep coming. Memory and goroutines stay flat,
// every change is answered with a retry in time, and when the destination is back
// so is the full rate.
func TestBinaryBlackHole(t *testing.T) {
	hang, hangs := 3*time.Second, new(atomic.Bool)
	if *blackhole > 0 {
		hang = *blackhole
	}
	l := delivertest.New(t, func(int) delivertest.Fault {
		if hangs.Load() {
			return delivertest.Hang
		}
		return delivertest.None
	})
	// What hangs when the destination returns is given up after the call timeout.
	config := strings.Replace(forward(l.URL, ""), "call-timeout: 8s", "call-timeout: 4s", 1)
	b := startBinary(t, 0, config+"batching: {max-records: 500}\n")
	var acks acknowledged
	s := &xdrtest.Source{Address: b.xdr, Connections: 8, Window: 4000, Answered: acks.note}
	ship(t, s)
	stop := offer(t, s)
	changetest.WaitFor(t, "the full rate", func() bool { return acks.len() > offered })
	goroutines := b.metric(t, "go_goroutines")

	hangs.Store(true)
	memory, most := b.watch(t, hang)
	slowest, retries := acks.slow()
	hangs.Store(false)
	back, before := time.Now(), acks.len()
	changetest.WaitFor(t, "a second's worth of changes", func() bool { return acks.len() > before+offered })
	took := time.Since(back)
	stop()
	settle(t, s)
	acks.wantAll(t, l)
	wantNewest(t, s, l)
	t.Logf("%v without a destination: at most %.0f MiB and %.0f goroutines (%.0f before), %d retries, slowest reply after %v, %d changes %v after its return",
		hang, memory/(1<<20), most, goroutines, retries, slowest, offered, took)
	if *blackhole > 0 && (memory > memoryBound || most > 2*goroutines+200 || slowest > replyBound || retries == 0 || took > recoverBound) {
		t.Error("that is not within the bounds")
	}
	b.terminate(t)
}

// offer writes the offered rate to records that come again every ten seconds.
func offer(t *testing.T, s *xdrtest.Source) (stop func()) {
	t.Helper()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		const every = 5 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i, begin := 0, time.Now(); ; {
			for due := int(time.Since(begin).Seconds() * offered); i < due; i++ {
				s.Write(user("users", i%(10*offered)))
			}
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// watch returns the most memory, in bytes, and the most goroutines that the
// process has for so long.
func (b *binary) watch(t *testing.T, long time.Duration) (memory, goroutines float64) {
	t.Helper()
	look, over := time.NewTicker(100*time.Millisecond), time.After(long)
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

// slow returns the slowest reply so far, and how many asked for a retry.
func (a *acknowledged) slow() (slowest time.Duration, retries int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.slowest, a.retries
}
