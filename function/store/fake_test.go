package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
)

var (
	errLater = errors.New("not now")
	errNever = change.Permanent(errors.New("never"))
)

// versionOf returns a version of record i of a namespace. All its versions have different bytes.
func versionOf(namespace string, i int, v change.Version) format.Parsed {
	c := change.Change{Namespace: namespace, Digest: change.Digest{byte(i), 19: 1}, LUT: v.LUT, Generation: v.Generation, Op: v.Op}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, "%s/%d@%d.%d.%s", namespace, i, v.LUT, v.Generation, v.Op), Format: "json"}
}

// shop returns a version of record 1 of the namespace shop.
func shop(lut int64, generation uint32) format.Parsed {
	return versionOf("shop", 1, change.Version{LUT: lut, Generation: generation})
}

func batchOf(changes ...format.Parsed) sink.Batch { return sink.Batch{Changes: changes} }

// journal is a sink that keeps the bytes of what it stores, in order.
type journal struct {
	put func(ctx context.Context, p *format.Parsed) error // decides on each change; nil stores all

	mu      sync.Mutex
	stored  []string
	changes []format.Parsed
}

func (j *journal) Put(ctx context.Context, b sink.Batch) (verdicts sink.Verdicts) {
	for i := range b.Changes {
		var err error
		if j.put != nil {
			err = j.put(ctx, &b.Changes[i])
		}
		if verdicts.Set(len(b.Changes), i, err); err == nil {
			j.mu.Lock()
			j.stored = append(j.stored, string(b.Changes[i].Data))
			j.changes = append(j.changes, b.Changes[i])
			j.mu.Unlock()
		}
	}
	return verdicts
}

func (j *journal) Close() error { return nil }

// versions returns all changes that were ever stored.
func (j *journal) versions() []format.Parsed {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.changes)
}

// take returns what was stored since the last call.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	stored := j.stored
	j.stored = nil
	return stored
}

// failing is a fence that fails when a test says so.
type failing struct {
	sink.Fence
	read, write func(ctx context.Context, s *sink.State) error // nil fails nothing

	mu            sync.Mutex
	reads, writes int
}

func (f *failing) Read(ctx context.Context, states []sink.State) sink.Verdicts {
	f.mu.Lock()
	f.reads++
	f.mu.Unlock()
	verdicts := verdictsOf(ctx, states, f.read)
	for i, err := range f.Fence.Read(ctx, states) {
		verdicts.Set(len(states), i, err)
	}
	return verdicts
}

func (f *failing) Write(ctx context.Context, states []sink.State) sink.Verdicts {
	f.mu.Lock()
	f.writes++
	f.mu.Unlock()
	verdicts := verdictsOf(ctx, states, f.write)
	var good []sink.State
	var of []int
	for i := range states {
		if verdicts == nil || verdicts[i] == nil {
			good, of = append(good, states[i]), append(of, i)
		}
	}
	for n, err := range f.Fence.Write(ctx, good) {
		verdicts.Set(len(states), of[n], err)
	}
	return verdicts
}

func verdictsOf(ctx context.Context, states []sink.State, fault func(context.Context, *sink.State) error) (v sink.Verdicts) {
	for i := range states {
		if fault != nil {
			v.Set(len(states), i, fault(ctx, &states[i]))
		}
	}
	return v
}

// config is what a test's Store is made of.
type config struct {
	sinks       []sink.Sink
	deadLetters sink.Sink
	fence       sink.Fence // nil is a new one in memory
	pass        bool
}

// open returns a Store with a fence.
func (c config) open(t testing.TB) *Store {
	t.Helper()
	specOf := func(s sink.Sink) sink.Spec {
		return sink.Spec{New: func(context.Context) (sink.Sink, error) { return s, nil }}
	}
	if c.fence == nil {
		c.fence = fence.NewMemory(1 << 16)
	}
	into := Config{Fence: &sink.FenceSpec{URL: "memory", Pass: c.pass, New: func(context.Context) (sink.Fence, error) { return c.fence, nil }}}
	for _, s := range c.sinks {
		into.Sinks = append(into.Sinks, specOf(s))
	}
	if c.deadLetters != nil {
		spec := specOf(c.deadLetters)
		into.DeadLetters = &spec
	}
	s := New(into)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// results returns the result of each change.
func results(o *Outcome) string {
	var all []Result
	for i := range o.Changes() {
		all = append(all, o.Of(i))
	}
	return fmt.Sprint(all)
}

// expect puts the changes and compares the results and what the sink has stored since.
func expect(t testing.TB, s *Store, j *journal, b sink.Batch, want string, stored ...string) Outcome {
	t.Helper()
	o := s.Put(t.Context(), Request{}, b)
	if got := results(&o); got != "["+want+"]" {
		t.Errorf("results %s, want [%s]", got, want)
	}
	if got := j.take(); !slices.Equal(got, stored) {
		t.Errorf("stored %q, want %q", got, stored)
	}
	return o
}
