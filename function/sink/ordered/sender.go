package ordered

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
)

// Sender sends the messages of Puts. Its methods may be called by several goroutines at once.
// It has a goroutine or a timer only while a Put waits for it, or a call that was cancelled
// is about to end.
type Sender[E any] struct {
	Config[E]

	errOverloaded, errBehind, errEarlier error // verdicts

	mu       sync.Mutex
	records  records[E]
	ready    ready[E]
	delayed  []*entry[E] // in no order
	timer    *time.Timer // for the first of delayed
	calls    int         // in flight
	queued   amount      // waiting or in flight
	order    uint64      // of the next entry
	retries  failures.Retries
	retrying int // changes that retries wait for
	refusals failures.Refusals
	workers  sync.WaitGroup
}

// amount is a number of messages and their bytes.
type amount struct{ messages, bytes int }

// New returns a Sender.
func New[E any](c Config[E]) *Sender[E] {
	s := &Sender[E]{Config: c, records: records[E]{}}
	s.retries = failures.NewRetries(&s.retrying)
	s.errOverloaded = fmt.Errorf("send to %s: %w: the queue is at a limit: max-messages=%d, max-bytes=%d", c.Name, sink.ErrOverloaded, c.MaxMessages, c.MaxBytes)
	s.errBehind = fmt.Errorf("send to %s: an earlier change of the record failed", c.Name)
	s.errEarlier = fmt.Errorf("send to %s: an earlier change of the record failed and has not been retried yet", c.Name)
	s.timer = time.AfterFunc(time.Hour, s.delayOver)
	s.timer.Stop()
	return s
}

// Put sends messages, and returns the verdict on each, or nil if the service has all of them.
// A verdict that is not permanent means that the message has to be put again. If a call
// panicked, Put panics with a [*sink.Panic] once all messages have their verdicts.
func (s *Sender[E]) Put(ctx context.Context, messages []Message[E]) []error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	p := &put{messages: len(messages), unfinished: len(messages), done: make(chan struct{})}
	if len(messages) == 0 {
		return nil
	}
	entries := s.enqueue(p, messages)
	select {
	case <-p.done:
	case <-ctx.Done():
		s.abandon(p, entries, ctx.Err())
	}
	if p.panicked != nil {
		panic(p.panicked)
	}
	return p.verdicts
}

// enqueue queues the messages that are admitted. The others get their verdict at once.
func (s *Sender[E]) enqueue(p *put, messages []Message[E]) []entry[E] {
	entries := make([]entry[E], len(messages))
	s.mu.Lock()
	defer s.mu.Unlock()
	a := admission[E]{s: s, now: time.Now()}
	for i := range messages {
		e := &entries[i]
		*e = entry[E]{Message: &messages[i], put: p, index: i, order: s.order}
		if err := a.admit(e.Message); err != nil {
			e.finished = true
			p.setVerdict(i, err)
			p.messageDone()
			continue
		}
		s.order++
		s.queued.messages++
		s.queued.bytes += e.Size
		if s.records.add(e); e.behind == 0 {
			s.ready.push(e)
		}
	}
	s.startWorkers()
	return entries
}

// abandon ends a Put that cannot wait any longer, because of err. A call that no other Put
// waits for is cancelled.
func (s *Sender[E]) abandon(p *put, entries []entry[E], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i := range slices.Backward(entries) { // what is behind another of the same Put goes first
		e := &entries[i]
		switch {
		case e.finished:
		case e.call == nil:
			s.fail(e, s.gaveUp(e, err), now)
		default:
			p.setVerdict(i, s.gaveUp(e, err))
			s.failBehind(e, now)
			e.call.putGone()
		}
	}
	p.abandoned = true
	s.ready.sweep()
	s.delayed = slices.DeleteFunc(s.delayed, func(e *entry[E]) bool { return e.finished })
	s.setTimer()
}

// gaveUp returns the verdict on an entry whose Put cannot wait any longer, because of err.
func (s *Sender[E]) gaveUp(e *entry[E], err error) error {
	err = fmt.Errorf("send to %s: %w", s.Name, err)
	if e.err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w; the last answer was: %w", err, e.err)
	}
	return err
}

// fail finishes an entry, which is not in flight, with a verdict that is not permanent. All
// behind it fail too, and have to come again after it.
func (s *Sender[E]) fail(e *entry[E], err error, now time.Time) {
	s.failBehind(e, now)
	s.records.removeLast(e)
	s.finishEntry(e, err)
}

// failBehind fails what is behind an entry, which has to come again before that. An entry that
// is in flight stays in records until its call ends, so that its repetition waits for that.
func (s *Sender[E]) failBehind(e *entry[E], now time.Time) {
	for _, f := range slices.Backward(s.records.behind(e)) {
		s.records.removeLast(f)
		s.retries.Expect(f.IDs, now.Add(s.Pause))
		s.finishEntry(f, s.errBehind)
	}
	s.retries.Expect(e.IDs, now.Add(s.Pause))
}

// finish finishes an entry with a verdict that lets those behind it go on.
func (s *Sender[E]) finish(e *entry[E], verdict error) {
	s.records.remove(e, s.ready.push)
	s.finishEntry(e, verdict)
}

// finishEntry finishes an entry that is no longer in records. One that is ready or delayed
// stays there; only abandon has such.
func (s *Sender[E]) finishEntry(e *entry[E], verdict error) {
	e.finished = true
	s.queued.messages--
	s.queued.bytes -= e.Size
	e.put.setVerdict(e.index, verdict)
	e.put.messageDone()
}

// Queued returns how many messages wait or are in flight, and their bytes.
func (s *Sender[E]) Queued() (messages, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued.messages, s.queued.bytes
}

// Owed returns how many records have a change that failed and has not come again.
func (s *Sender[E]) Owed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retries.Records(time.Now())
}

// Close waits for calls that were cancelled. All Puts must have returned.
func (s *Sender[E]) Close() { s.workers.Wait() }
