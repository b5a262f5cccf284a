package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// A nil verdict means that the change is stored, as it was put.
func testStored(t *testing.T, s Sink) {
	service := s.Start(t)
	b := firsts(0, 50)
	wantAll(t, open(t, service, "", patience).Put(t.Context(), b))
	stored := service.Stored(t)
	for i := range b.Changes {
		if n := count(stored, b.Changes[i]); n != 1 {
			t.Errorf("change %d is stored %d times, want once", i, n)
		}
	}
	if len(stored) != len(b.Changes) {
		t.Errorf("%d changes stored, want %d", len(stored), len(b.Changes))
	}
}

func testEmpty(t *testing.T, s Sink) {
	service := s.Start(t)
	service.Fail(func(Request) Fault {
		t.Error("there was a request")
		return Fault{}
	})
	if v := open(t, service, "", patience).Put(t.Context(), sink.Batch{}); v != nil {
		t.Errorf("verdicts %v, want nil", v)
	}
}

// Put returns only once the service has answered, though the change is stored before, and
// though another Put returns meanwhile.
func testNoEarlyAnswer(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", patience)
	first, other, release := version(0, 1), version(1, 1), make(chan struct{})
	service.Fail(func(r Request) Fault {
		if r.Has(first) {
			return Fault{Kind: Held, Hold: release}
		}
		return Fault{}
	})
	done := make(chan sink.Verdicts, 1)
	go func() { done <- opened.Put(t.Context(), batch(first)) }()
	changetest.WaitFor(t, "the first change", func() bool { return count(service.Stored(t), first) > 0 })
	wantAll(t, opened.Put(t.Context(), batch(other)))
	select {
	case v := <-done:
		t.Fatalf("Put returned %v before the service had answered", v)
	default:
	}
	close(release)
	wantAll(t, <-done)
}

// When the service fails with one change all the time, the others are stored, and only that
// one has to be tried again.
func testFailureOfOne(t *testing.T, s Sink) {
	inTime(t, func(t *testing.T, timeout time.Duration) error {
		service := s.Start(t)
		b := firsts(0, 8)
		service.Fail(failing(Unavailable, b.Changes[3]))
		v := open(t, service, "", timeout).Put(t.Context(), b)
		stored := service.Stored(t)
		for i := range b.Changes {
			err := verdict(v, i)
			if change.IsPermanent(err) || i == 3 && err == nil {
				t.Errorf("verdict on change %d: %v", i, err)
			}
			if err == nil && count(stored, b.Changes[i]) == 0 {
				t.Errorf("change %d is not stored, and its verdict is nil", i)
			}
			if i != 3 && err != nil {
				return fmt.Errorf("verdict on change %d: %w; want nil", i, err)
			}
		}
		return nil
	})
}

// failing returns a fault of one change.
func failing(kind Kind, p format.Parsed) func(Request) Fault {
	return func(r Request) Fault {
		if i := r.index(p); i >= 0 {
			return Fault{Kind: kind, Entries: []int{i}}
		}
		return Fault{}
	}
}

// A change that the service refuses, and no other, is refused for good in the end.
func testRefused(t *testing.T, s Sink) {
	if !s.Refuses {
		t.Skip("this service refuses no change for what it holds")
	}
	service := s.Start(t)
	opened := open(t, service, "", patience)
	bad := version(0, 1)
	service.Fail(failing(Refused, bad))
	const enough = 10
	for i := range enough {
		v := opened.Put(t.Context(), batch(version(1, i+1), bad, version(2, i+1)))
		for _, other := range []int{0, 2} {
			if err := verdict(v, other); err != nil {
				t.Errorf("Put %d: verdict on another change: %v", i, err)
			}
		}
		err := verdict(v, 1)
		if err == nil {
			t.Fatal("the verdict on the refused change is nil")
		}
		if change.IsPermanent(err) {
			return
		}
	}
	t.Errorf("after %d Puts the change is not refused for good", enough)
}

// A service that refuses everything, as one does that is set up in another way, refuses
// nothing for good.
func testAllRefused(t *testing.T, s Sink) {
	if !s.Refuses {
		t.Skip("this service refuses no change for what it holds")
	}
	service := s.Start(t)
	opened := open(t, service, "", patience)
	service.Fail(func(Request) Fault { return Fault{Kind: Refused} })
	b := firsts(0, 12)
	for range 4 {
		wantRetry(t, opened.Put(t.Context(), b), len(b.Changes))
	}
	service.Fail(nil)
	changetest.WaitFor(t, "a Put that succeeds", func() bool { return opened.Put(t.Context(), b) == nil })
}

// A sink that may not store asks for a retry: that is a matter of how it is set up.
func testForbidden(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", 300*time.Millisecond)
	service.Fail(func(Request) Fault { return Fault{Kind: Forbidden} })
	b := firsts(0, 4)
	wantRetry(t, opened.Put(t.Context(), b), len(b.Changes))
	if stored := service.Stored(t); len(stored) != 0 {
		t.Errorf("%d changes stored", len(stored))
	}
}

// Throttling passes, or asks for a retry.
func testThrottled(t *testing.T, s Sink) {
	service := s.Start(t)
	var throttled atomic.Bool
	throttled.Store(true)
	service.Fail(func(Request) Fault {
		if throttled.Load() {
			return Fault{Kind: Throttled}
		}
		return Fault{}
	})
	b := firsts(0, 4)
	wantRetry(t, open(t, service, "", 300*time.Millisecond).Put(t.Context(), b), len(b.Changes))
	if stored := service.Stored(t); len(stored) != 0 {
		t.Errorf("%d changes stored", len(stored))
	}
	// Within the time of a Put the sink waits for the end of it.
	opened := open(t, service, "", patience)
	var requests atomic.Int64
	service.Fail(func(Request) Fault {
		if requests.Add(1) == 1 {
			return Fault{Kind: Throttled}
		}
		return Fault{}
	})
	wantAll(t, opened.Put(t.Context(), b))
}

// A service that does not answer makes Put return when its time is over.
func testHang(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", 300*time.Millisecond)
	service.Fail(func(Request) Fault { return Fault{Kind: Hang} })
	b := firsts(0, 4)
	done := make(chan sink.Verdicts, 1)
	go func() { done <- opened.Put(t.Context(), b) }()
	select {
	case v := <-done:
		wantRetry(t, v, len(b.Changes))
	case <-time.After(patience / 2):
		t.Fatal("Put has not returned")
	}
	service.Fail(nil)
	changetest.WaitFor(t, "a Put that succeeds after the fault", func() bool { return opened.Put(t.Context(), b) == nil })
}

// A change whose answer is lost is stored, once or twice, and its verdict is nil or asks for a
// retry.
func testLostAnswer(t *testing.T, s Sink) {
	inTime(t, func(t *testing.T, timeout time.Duration) error {
		service := s.Start(t)
		opened := open(t, service, "", timeout)
		first := version(0, 1)
		var lost atomic.Bool
		service.Fail(func(r Request) Fault {
			if r.Has(first) && lost.CompareAndSwap(false, true) {
				return Fault{Kind: Lost}
			}
			return Fault{}
		})
		b := batch(first, version(1, 1))
		v := opened.Put(t.Context(), b)
		if err := verdict(v, 0); change.IsPermanent(err) {
			t.Errorf("verdict %v", err)
		}
		if n := count(service.Stored(t), first); n < 1 || n > 2 {
			t.Errorf("the change is stored %d times, want once or twice", n)
		}
		if v = opened.Put(t.Context(), b); v != nil {
			return fmt.Errorf("put again: %w", errors.Join(v...))
		}
		return nil
	})
}

// Put returns when its context is cancelled. What it does not know to be stored has to be
// tried again.
func testCancelled(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", patience)
	entered := make(chan struct{}, 1000)
	service.Fail(func(Request) Fault {
		entered <- struct{}{}
		return Fault{Kind: Hang}
	})
	b := firsts(0, 4)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan sink.Verdicts, 1)
	go func() { done <- opened.Put(ctx, b) }()
	<-entered
	cancel()
	wantRetry(t, <-done, len(b.Changes))

	// A context that is cancelled before makes no false promise either.
	service.Fail(nil)
	other := firsts(10, 14)
	v, stored := opened.Put(ctx, other), service.Stored(t)
	for i := range other.Changes {
		if verdict(v, i) == nil && count(stored, other.Changes[i]) == 0 {
			t.Errorf("change %d is not stored, and its verdict is nil", i)
		}
	}
}

// After Put has returned, whatever it returned, the sink does not look at the batch.
func testBatchChanged(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", patience)
	entered := make(chan struct{}, 1000)
	service.Fail(func(Request) Fault {
		entered <- struct{}{}
		return Fault{Kind: Hang}
	})
	ctx, cancel := context.WithCancel(t.Context())
	batches := []sink.Batch{batch(version(0, 1), version(1, 1)), batch(version(0, 2), version(2, 1)), batch(version(0, 3))}
	before := map[string]bool{}
	var putting sync.WaitGroup
	for i := range batches {
		for _, p := range batches[i].Changes {
			before[string(p.Data)] = true
		}
		putting.Go(func() { opened.Put(ctx, batches[i]) })
	}
	<-entered
	cancel()
	putting.Wait()
	service.Fail(nil)
	for i := range batches {
		for j := range batches[i].Changes {
			p := &batches[i].Changes[j]
			for k := range p.Data {
				p.Data[k] = 'x'
			}
			*p = format.Parsed{}
		}
	}
	last := version(3, 1)
	before[string(last.Data)] = true
	wantAll(t, opened.Put(t.Context(), batch(last)))
	for _, data := range service.Stored(t) {
		if !before[data] {
			t.Errorf("stored %s, which nobody put", data)
		}
	}
}

// A sink that has too much in memory already refuses more, until it has room.
func testOverload(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, s.Overload, patience)
	release := make(chan struct{})
	entered := make(chan struct{}, 1000)
	first, more := firsts(0, 20), firsts(20, 40)
	service.Fail(func(r Request) Fault {
		if !slices.ContainsFunc(first.Changes, r.Has) {
			return Fault{}
		}
		entered <- struct{}{}
		return Fault{Kind: Held, Hold: release}
	})
	done := make(chan sink.Verdicts, 1)
	go func() { done <- opened.Put(t.Context(), first) }()
	<-entered
	v := opened.Put(t.Context(), more)
	wantRetry(t, v, len(more.Changes))
	for i, err := range v {
		if !errors.Is(err, sink.ErrOverloaded) {
			t.Errorf("verdict on change %d: %v, want %v", i, err, sink.ErrOverloaded)
		}
	}
	close(release)
	wantAll(t, <-done)
	wantAll(t, opened.Put(t.Context(), more))
}

// Puts at the same time do not disturb each other.
func testConcurrent(t *testing.T, s Sink) {
	service := s.Start(t)
	opened := open(t, service, "", patience)
	const puts, changes = 20, 10
	var putting sync.WaitGroup
	for i := range puts {
		putting.Go(func() {
			if v := opened.Put(t.Context(), firsts(i*changes, (i+1)*changes)); v != nil {
				t.Errorf("Put %d: %v", i, errors.Join(v...))
			}
		})
	}
	putting.Wait()
	stored := service.Stored(t)
	for record := range puts * changes {
		if n := count(stored, version(record, 1)); n != 1 {
			t.Errorf("record %d is stored %d times, want once", record, n)
		}
	}
}

// Dead letters are stored too, though little is known of them. A sink that does not take them
// says so of each.
func testDeadLetters(t *testing.T, s Sink) {
	service := s.Start(t)
	b := sink.Batch{
		Changes: []format.Parsed{{Data: []byte("\x00\xffnot JSON\x01")}, version(1, 1)},
		DeadLetters: []sink.DeadLetter{
			{MediaType: "application/octet-stream", Reason: "not an XDR message", Offset: 0, Received: updated},
			{MediaType: "application/json", Reason: "refused", Offset: sink.UnknownOffset, Received: updated},
		},
	}
	v, want := open(t, service, "", patience).Put(t.Context(), b), len(b.Changes)
	if s.NoDeadLetters {
		wantRetry(t, v, len(b.Changes))
		want = 0
	} else {
		wantAll(t, v)
	}
	if n := len(service.Stored(t)); n != want {
		t.Errorf("%d dead letters stored, want %d", n, want)
	}
}

// The same sink, opened twice with the same metrics, works or says why not. Closing one leaves
// the other alone.
func testOpenedTwice(t *testing.T, s Sink) {
	service := s.Start(t)
	o := sink.Options{Timeout: patience, Metrics: prometheus.NewRegistry()}
	first, err := service.Spec(t, "", o).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := service.Spec(t, "", o).Open(t.Context())
	if err == nil {
		if err := second.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	wantAll(t, first.Put(t.Context(), firsts(0, 4)))
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	// A sink that is closed leaves nothing behind that keeps it from being opened again.
	again, err := service.Spec(t, "", o).Open(t.Context())
	if err != nil {
		t.Fatalf("opened again: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
