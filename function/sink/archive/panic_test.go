package archive

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// put returns the verdicts of a Put, or what it panicked with.
func put(t *testing.T, a *archive, b sink.Batch) (verdicts sink.Verdicts, fell any) {
	defer func() { fell = recover() }()
	return a.Put(t.Context(), b), nil
}

// Whatever panics does so in each Put that it was for, and nowhere else: what
// comes later is stored.
func TestPanics(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		faulty      func(a *archive, b *memoryBucket) (mend func())
	}{
		{"a part", "?compression=gzip", func(a *archive, _ *memoryBucket) func() {
			pack := a.changes.compress
			a.changes.compress = func(_, _ []byte) []byte { panic("pack") }
			return func() { a.changes.compress = pack }
		}},
		{"an object", "?format=parquet", func(a *archive, _ *memoryBucket) func() {
			rows := a.changes.rows
			a.changes.rows = func([]row.Row) ([]byte, error) { panic("rows") }
			return func() { a.changes.rows = rows }
		}},
		{"a write", "", func(_ *archive, b *memoryBucket) func() {
			b.fault = func(context.Context, *object) (Outcome, bool, error) { panic("write") }
			return func() { b.setFault(nil) }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openIn(t, tt.query)
				mend := tt.faulty(a, b)
				for range 3 { // more than there are turns
					verdicts, fell := put(t, a, large(1))
					if fell == nil {
						t.Fatalf("no panic, and verdicts %v", verdicts)
					}
					if p, ok := fell.(*sink.Panic); ok && len(p.Stack) == 0 {
						t.Error("a panic without its stack")
					}
				}
				mend()
				if verdicts, fell := put(t, a, large(1)); verdicts != nil || fell != nil {
					t.Errorf("afterwards: %v, %v", verdicts, fell)
				}
				if n := len(b.objects); n != 1 {
					t.Errorf("%d objects, want 1", n)
				}
				if n := a.inFlight.Load(); n != 0 {
					t.Errorf("%d bytes in flight when all is done", n)
				}
			})
		})
	}
}
