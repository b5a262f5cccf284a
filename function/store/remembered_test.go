package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// printOf returns a fingerprint for each i.
func printOf(i int) (print fingerprint) {
	binary.BigEndian.PutUint64(print[:], uint64(i))
	return print
}

func always(int) bool { return true }

// verdictSink is a sink with the same verdict on every change.
type verdictSink struct{ verdict *error }

func (s verdictSink) Put(_ context.Context, b sink.Batch) sink.Verdicts {
	return sink.All(len(b.Changes), *s.verdict)
}
func (verdictSink) Close() error { return nil }

// While a request fails, the targets that have stored its changes remember them. After it has
// succeeded, nothing is remembered.
func TestStore_remembersUntilSuccess(t *testing.T) {
	var none error
	verdict := errors.New("not now")
	spec := func(v *error) sink.Spec {
		return sink.Spec{New: func(context.Context) (sink.Sink, error) { return verdictSink{v}, nil }}
	}
	s := New(Config{Sinks: []sink.Spec{spec(&none), spec(&verdict)}})
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := sink.Batch{Changes: []format.Parsed{{Data: []byte("{}"), Change: change.Change{LUT: 1, Generation: 1}}}}
	if o := s.Put(t.Context(), Request{}, b); o.IsSuccess() || o.Of(0) != Retry {
		t.Errorf("outcome %v", o.Of(0))
	}
	if s.targets[0].remembered.isEmpty() || !s.targets[1].remembered.isEmpty() {
		t.Error("not the first target, or not only the first one, remembers the change")
	}
	verdict = nil
	if o := s.Put(t.Context(), Request{}, b); !o.IsSuccess() || !o.AllStored() {
		t.Errorf("outcome %v, %v", o.Of(0), o.Err(0))
	}
	if s.remembers() {
		t.Error("a change is remembered after its request has succeeded")
	}
}

// The number of remembered changes is bounded, and the newer half of it is always kept.
func TestRemembered_limit(t *testing.T) {
	var r remembered
	for i := range 3 * maxRemembered {
		r.add([]fingerprint{printOf(i)}, nil, always)
	}
	if n := len(r.young) + len(r.old); n > 2*maxRemembered || n < maxRemembered {
		t.Errorf("%d changes are remembered", n)
	}
	if known := r.among([]fingerprint{printOf(0), printOf(2*maxRemembered + 1), printOf(3*maxRemembered - 1)}); !slices.Equal(known, []bool{false, true, true}) {
		t.Errorf("remembered: %v", known)
	}
}

func TestRemembered_age(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r remembered
		one, two := []fingerprint{printOf(1)}, []fingerprint{printOf(2)}
		r.add(one, nil, always)
		time.Sleep(maxGenerationAge - time.Second)
		r.add(two, nil, always)
		time.Sleep(2 * time.Second)
		if r.among(one) == nil || r.among(two) == nil {
			t.Error("forgotten too soon")
		}
		time.Sleep(maxGenerationAge)
		if r.among(one) != nil || r.among(two) != nil {
			t.Error("remembered for too long")
		}
		r.add(one, nil, always)
		if r.forget(one); !r.isEmpty() || r.among(one) != nil {
			t.Error("not forgotten")
		}
	})
}
