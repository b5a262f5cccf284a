package ordered

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// call is a call to the service. The Sender's lock guards it, but for ctx.
type call[E any] struct {
	ctx     context.Context
	cancel  context.CancelFunc
	entries []*entry[E]
	waiting int // entries whose Put still waits
}

// putGone notes that the Put of one of the entries no longer waits.
func (c *call[E]) putGone() {
	c.waiting--
	if c.waiting == 0 {
		c.cancel()
	}
}

// Pauses before a message is sent again. They double with each attempt, up to maxPause, and
// are random to spread the load. Those of the messages of one call are the same, so that they
// go again in one call.
const (
	minPause          = 50 * time.Millisecond
	minThrottledPause = 200 * time.Millisecond
	maxPause          = 2 * time.Second
)

// pauseAfter returns the pause after a number of attempts, the last of which had this status.
// Random is from 0 to 1.
func pauseAfter(attempts int, status Status, random float64) time.Duration {
	pause := minPause
	if status == Throttled {
		pause = minThrottledPause
	}
	pause = min(pause<<min(attempts-1, 10), maxPause)
	return pause/2 + time.Duration(random*float64(pause/2))
}

// startWorkers starts a worker for each call that may be made now. The lock must be held.
func (s *Sender[E]) startWorkers() {
	for c := s.next(); c != nil; c = s.next() {
		s.workers.Go(func() { s.work(c) })
	}
}

// next returns the next call, nil if none may be made now. The lock must be held.
func (s *Sender[E]) next() *call[E] {
	if s.calls >= s.Calls || len(s.ready.turns) == 0 {
		return nil
	}
	c := &call[E]{entries: s.ready.take(s.Messages, s.Bytes)}
	c.ctx, c.cancel = context.WithTimeout(context.Background(), s.Timeout/3) //nolint:gosec // work calls cancel
	c.waiting = len(c.entries)
	for _, e := range c.entries {
		e.call = c
		e.attempts++
	}
	s.calls++
	return c
}

// work makes calls, c first, for as long as there is one to make.
func (s *Sender[E]) work(c *call[E]) {
	for c != nil {
		began := time.Now()
		results, panicked := s.make(c)
		c.cancel()
		s.mu.Lock()
		s.calls--
		if panicked != nil {
			for _, e := range c.entries {
				if !e.put.abandoned {
					e.put.panicked = panicked
				}
			}
		}
		s.finishCall(c, results, began)
		c = s.next()
		s.startWorkers()
		s.mu.Unlock()
	}
}

// make makes the call. If it panics, none of its messages is sent again.
func (s *Sender[E]) make(c *call[E]) (results []Result, panicked *sink.Panic) {
	entries := make([]E, len(c.entries))
	for i, e := range c.entries {
		entries[i] = e.Entry
	}
	results = make([]Result, len(entries))
	defer func() {
		if value := recover(); value != nil {
			panicked = &sink.Panic{Value: value, Stack: debug.Stack()}
			for i := range results {
				results[i] = Result{Unavailable, panicked}
			}
		}
	}()
	s.Call(c.ctx, entries, results)
	return results, nil
}

// finishCall gives each entry of the call its verdict, or delays it. The lock must be held.
func (s *Sender[E]) finishCall(c *call[E], results []Result, began time.Time) {
	othersTaken := slices.ContainsFunc(results, func(r Result) bool { return r.Status == Taken })
	if othersTaken {
		s.refusals.Take(began)
	}
	now, random := time.Now(), rand.Float64() //nolint:gosec // random pauses spread load
	for i, e := range c.entries {
		e.call = nil
		r := results[i]
		if r.Err != nil {
			e.err = r.Err
		}
		switch {
		case e.put.abandoned: // it has reported a failure, so the message comes again, or waits already
			s.finish(e, nil)
		case r.Status == Taken:
			s.taken(e)
		case r.Status == Unavailable:
			s.fail(e, fmt.Errorf("send to %s: %w", s.Name, r.Err), now)
		case r.Status == Refused:
			s.refused(e, r.Err, othersTaken, began, now, random)
		default:
			s.delay(e, now.Add(pauseAfter(e.attempts, r.Status, random)))
		}
	}
	s.setTimer()
}

// taken finishes an entry that the service has.
func (s *Sender[E]) taken(e *entry[E]) {
	s.refusals.Forget(e.Content)
	s.finish(e, nil)
}

// refused decides about an entry that the service refused for what it holds.
func (s *Sender[E]) refused(e *entry[E], err error, othersTaken bool, began, now time.Time, random float64) {
	enough := s.refusals.Add(e.Content, s.refusals.Taken(), now)
	err = fmt.Errorf("send to %s: %w", s.Name, err)
	switch {
	case othersTaken || enough || !e.refusedAt.IsZero() && e.refusedAt.Before(s.refusals.Taken()):
		s.finish(e, change.Permanent(err))
	case e.refusedAt.IsZero() && s.queued.messages > 1: // others may prove it
		e.refusedAt = began
		s.delay(e, now.Add(pauseAfter(e.attempts, Refused, random)))
	default:
		s.fail(e, fmt.Errorf("%w; nothing else was taken since, so the cause may be a setting of the service", err), now)
	}
}

// delay makes the entry ready again at a later time. The caller sets the timer.
func (s *Sender[E]) delay(e *entry[E], until time.Time) {
	e.notBefore = until
	s.delayed = append(s.delayed, e)
}

// setTimer sets the timer for the first delayed entry, or stops it if there is none.
func (s *Sender[E]) setTimer() {
	if len(s.delayed) == 0 {
		s.timer.Stop()
		return
	}
	first := slices.MinFunc(s.delayed, func(a, b *entry[E]) int { return a.notBefore.Compare(b.notBefore) })
	s.timer.Reset(max(time.Until(first.notBefore), 0))
}

// delayOver makes the entries ready whose delay is over.
func (s *Sender[E]) delayOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var due []*entry[E]
	s.delayed = slices.DeleteFunc(s.delayed, func(e *entry[E]) bool {
		if e.notBefore.After(now) {
			return false
		}
		due = append(due, e)
		return true
	})
	for _, e := range slices.Backward(due) { // what has waited goes before newer messages
		s.ready.pushFront(e)
	}
	s.setTimer()
	s.startWorkers()
}
