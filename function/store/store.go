// Package store makes the changes of a request durable in every sink. Changes that can never
// be stored become dead letters. The [Outcome] has the result of each change.
//
//  1. If there is a fence, [Store.Put] drops the changes that it knows to be published
//     already, or older than what was (fenced.go).
//  2. It gives the batch to all targets at once. A target leaves out the changes that could
//     not be read, and those that it stored in an earlier attempt (target.go, remembered.go).
//  3. The worst verdict on each change counts.
//  4. Changes with a permanent verdict become dead letters (deadletters.go).
//  5. If there is a fence, it is told what every sink has now.
//  6. If the request will be repeated, each target remembers the changes that it stored.
//
// The package does not depend on HTTP.
package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
)

// Config says where changes go.
type Config struct {
	Sinks       []sink.Spec     // at least one
	DeadLetters *sink.Spec      // nil if there is none
	Fence       *sink.FenceSpec // nil if there is none
}

// Store stores changes in all sinks. The zero Store is not usable.
type Store struct {
	config      Config
	targets     []*target
	deadLetters *deadLetters // nil if there is none
	fenced      *fenced      // nil if there is no fence
}

// New returns a Store whose sinks and fence are not open yet.
func New(c Config) *Store { return &Store{config: c} }

// Open opens the sinks and the fence if they are not open yet. It may be called again after an error.
func (s *Store) Open(ctx context.Context) error {
	for _, spec := range s.config.Sinks[len(s.targets):] {
		t, err := openTarget(ctx, spec)
		if err != nil {
			return err
		}
		s.targets = append(s.targets, t)
	}
	if s.config.DeadLetters != nil && s.deadLetters == nil {
		t, err := openTarget(ctx, *s.config.DeadLetters)
		if err != nil {
			return err
		}
		s.deadLetters = &deadLetters{target: t}
	}
	if s.config.Fence != nil && s.fenced == nil {
		f, err := openFence(ctx, s.config.Fence)
		if err != nil {
			return err
		}
		s.fenced = f
	}
	return nil
}

// Close closes the sinks and the fence. All Puts must have returned.
func (s *Store) Close() error {
	var errs []error
	for _, t := range s.all() {
		errs = append(errs, t.sink.Close())
	}
	if s.fenced != nil {
		errs = append(errs, s.fenced.fence.Close())
	}
	return errors.Join(errs...)
}

// HasDeadLetters reports whether changes that can never be stored become dead letters.
func (s *Store) HasDeadLetters() bool { return s.config.DeadLetters != nil }

// all returns every open target, including that of the dead letters.
func (s *Store) all() []*target {
	if s.deadLetters == nil {
		return s.targets
	}
	return append(s.targets[:len(s.targets):len(s.targets)], s.deadLetters.target)
}

// Request has the properties of a request that its dead letters record.
type Request struct {
	MediaType string
	ID        string // for people to find it by
	Received  time.Time
}

// Put stores the changes of a request and returns their results. If a sink panics,
// Put panics with a [*SinkPanic] once the other sinks have finished.
func (s *Store) Put(ctx context.Context, r Request, b sink.Batch) Outcome {
	if s.fenced == nil {
		return s.publish(ctx, r, b, nil)
	}
	o := s.fenced.put(ctx, b, func(b sink.Batch, record func(Outcome) Outcome) Outcome { return s.publish(ctx, r, b, record) })
	if o.stale != nil && s.remembers() {
		s.forgetStale(b, &o)
	}
	return o
}

// publish stores the changes in all sinks. Unless record is nil, it may add verdicts to the
// outcome, before publish decides whether the request will be repeated.
func (s *Store) publish(ctx context.Context, r Request, b sink.Batch, record func(Outcome) Outcome) Outcome {
	var prints []fingerprint
	if s.remembers() {
		prints = fingerprintsOf(b.Changes)
	}
	verdicts, panicked := s.putAll(ctx, b, prints)
	o := Outcome{changes: len(b.Changes), verdicts: worst(verdicts, len(b.Changes)), deadLetters: s.deadLetters != nil}
	var dead *deadLetterBatch
	if panicked == nil && s.deadLetters != nil {
		dead, panicked = s.deadLetters.put(ctx, r, b, o.verdicts)
	}
	if panicked != nil {
		s.remember(b, prints, verdicts, dead)
		if s.fenced != nil {
			s.rememberNewest(ctx, b, verdicts)
		}
		panic(panicked)
	}
	if record != nil {
		o = record(o)
	}
	if o.IsSuccess() {
		for _, t := range s.all() {
			t.remembered.forget(prints)
		}
	} else {
		s.remember(b, prints, verdicts, dead)
	}
	if s.fenced != nil && (o.verdicts != nil || o.unfenced.Changes > 0) {
		s.rememberNewest(ctx, b, verdicts)
	}
	return o
}

// forgetStale makes the targets forget the stale changes of b, which will not be repeated.
func (s *Store) forgetStale(b sink.Batch, o *Outcome) {
	var stale []format.Parsed
	for i := range b.Changes {
		if o.Of(i) == Stale {
			stale = append(stale, b.Changes[i])
		}
	}
	prints := fingerprintsOf(stale)
	for _, t := range s.all() {
		t.remembered.forget(prints)
	}
}

// PutDeadLetter stores a change that its sender has given up as a dead letter, and in no sink.
// There must be dead letters. If their sink panics, PutDeadLetter panics with a [*SinkPanic].
func (s *Store) PutDeadLetter(ctx context.Context, c format.Parsed, l sink.DeadLetter, traceParent string) Outcome {
	batch := sink.Batch{Changes: []format.Parsed{c}, DeadLetters: []sink.DeadLetter{l}, TraceParent: traceParent}
	verdicts, panicked := s.deadLetters.target.put(ctx, batch, nil)
	if panicked != nil {
		panic(panicked)
	}
	verdict := c.Err
	if verdicts != nil && verdicts[0] != nil {
		verdict = notStored(verdicts[0])
	}
	return Outcome{changes: 1, verdicts: sink.All(1, verdict), deadLetters: true}
}

// remembers reports whether any target remembers changes.
func (s *Store) remembers() bool {
	return slices.ContainsFunc(s.all(), func(t *target) bool { return !t.remembered.isEmpty() })
}

// putAll gives the batch to every target at once. It returns the verdicts of each, and the
// first panic.
func (s *Store) putAll(ctx context.Context, b sink.Batch, prints []fingerprint) ([]sink.Verdicts, *SinkPanic) {
	verdicts := make([]sink.Verdicts, len(s.targets))
	panics := make([]*SinkPanic, len(s.targets))
	var putting sync.WaitGroup
	last := len(s.targets) - 1
	for i, t := range s.targets[:last] {
		putting.Go(func() { verdicts[i], panics[i] = t.put(ctx, b, prints) })
	}
	verdicts[last], panics[last] = s.targets[last].put(ctx, b, prints)
	putting.Wait()
	for _, p := range panics {
		if p != nil {
			return verdicts, p
		}
	}
	return verdicts, nil
}

// remember records which changes each target has stored of a request that will be repeated.
func (s *Store) remember(b sink.Batch, prints []fingerprint, verdicts []sink.Verdicts, dead *deadLetterBatch) {
	if prints == nil {
		prints = fingerprintsOf(b.Changes)
	}
	for i, t := range s.targets {
		t.remember(b, prints, verdicts[i])
	}
	if dead != nil {
		s.deadLetters.target.remember(dead.Batch, fingerprintsOf(dead.Changes), dead.verdicts)
	}
}

// rememberNewest records which versions each target has that the fence may not know.
func (s *Store) rememberNewest(ctx context.Context, b sink.Batch, verdicts []sink.Verdicts) {
	for i, t := range s.targets {
		t.newest.add(ctx, b, verdicts[i])
	}
}

// worst returns the worst verdict on each of n changes, nil if all are stored everywhere.
func worst(each []sink.Verdicts, n int) sink.Verdicts {
	var all sink.Verdicts
	for _, verdicts := range each {
		for i, err := range verdicts {
			if all == nil || badness(err) > badness(all[i]) {
				all.Set(n, i, err)
			}
		}
	}
	return all
}

// badness orders verdicts. A failure that can be retried is worse than a permanent one: the
// change is sent again anyway. Overload is the least bad failure that can be retried.
func badness(verdict error) int {
	switch {
	case verdict == nil:
		return 0
	case change.IsPermanent(verdict):
		return 1
	case errors.Is(verdict, sink.ErrOverloaded):
		return 2
	}
	return 3
}

// deadLetter returns the dead letter of p.
func (r *Request) deadLetter(p *format.Parsed, reason error) sink.DeadLetter {
	mediaType := formats.MediaTypeOf(p.Format)
	if mediaType == "" {
		mediaType = r.MediaType
	}
	return sink.DeadLetter{MediaType: mediaType, Reason: reason.Error(), Offset: p.Offset, Request: r.ID, Received: r.Received}
}
