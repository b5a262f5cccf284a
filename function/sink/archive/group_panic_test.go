package archive

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// put returns the verdicts of a Put, or the value it panicked with.
func put(t *testing.T, a *archive, b sink.Batch) (verdicts sink.Verdicts, panicked any) {
	defer func() { panicked = recover() }()
	return a.Put(t.Context(), b), nil
}

// A panic in any step reaches each Put that the step was for, and no other. Later Puts
// succeed.
func TestPut_panics(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		breakIt     func(a *archive, b *memoryBucket) (repair func())
	}{
		{"compress a part", "?compression=gzip", func(a *archive, _ *memoryBucket) func() {
			pack := a.changes.compress
			a.changes.compress = func(_, _ []byte) []byte { panic("pack") }
			return func() { a.changes.compress = pack }
		}},
		{"encode an object", "?format=parquet", func(a *archive, _ *memoryBucket) func() {
			rows := a.changes.rows
			a.changes.rows = func([]row.Row) ([]byte, error) { panic("rows") }
			return func() { a.changes.rows = rows }
		}},
		{"write an object", "", func(_ *archive, b *memoryBucket) func() {
			b.fault = func(context.Context, *object) (Outcome, bool, error) { panic("write") }
			return func() { b.setFault(nil) }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, tt.query)
				repair := tt.breakIt(a, b)
				for range 3 { // more than the archive has processors
					verdicts, panicked := put(t, a, large(1))
					if panicked == nil {
						t.Fatalf("no panic, and verdicts %v", verdicts)
					}
					if p, ok := panicked.(*sink.Panic); ok && len(p.Stack) == 0 {
						t.Error("a panic without a stack")
					}
				}
				repair()
				if verdicts, panicked := put(t, a, large(1)); verdicts != nil || panicked != nil {
					t.Errorf("afterwards: %v, %v", verdicts, panicked)
				}
				if n := len(b.objects); n != 1 {
					t.Errorf("%d objects, want 1", n)
				}
				if n := a.inFlight.Load(); n != 0 {
					t.Errorf("%d bytes in flight at the end", n)
				}
			})
		})
	}
}
