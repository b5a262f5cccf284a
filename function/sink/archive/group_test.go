package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// memoryBucket is a bucket in memory, with fault injection.
type memoryBucket struct {
	mu      sync.Mutex
	objects map[string]string // content by name
	writes  int

	// fault, unless nil, returns the result of a write, and whether it stores the object
	// all the same. If fault is nil, writes succeed.
	fault func(ctx context.Context, o *object) (out Outcome, stored bool, err error)
}

func (b *memoryBucket) write(ctx context.Context, o *object) (Outcome, error) {
	b.mu.Lock()
	b.writes++
	fault := b.fault
	b.mu.Unlock()
	var out Outcome
	var err error
	stored := true
	if fault != nil {
		out, stored, err = fault(ctx, o)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	content := string(bytes.Join(o.content, nil))
	if before, ok := b.objects[o.name]; stored && ok && before != content {
		panic("the same name for different contents")
	}
	if stored {
		b.objects[o.name] = content
	}
	if err != nil {
		return out, err
	}
	return Created, nil
}

func (b *memoryBucket) setFault(fault func(context.Context, *object) (Outcome, bool, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
}

// sizes returns how many changes the objects have, in ascending order.
func (b *memoryBucket) sizes() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sizes []int
	for _, content := range b.objects {
		sizes = append(sizes, strings.Count(content, "\n"))
	}
	slices.Sort(sizes)
	return sizes
}

// openMemory opens an archive in a memoryBucket.
func openMemory(t testing.TB, query string) (*archive, *memoryBucket) {
	t.Helper()
	u, err := url.Parse(sinktest.ArchiveSink + query)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseConfig(u, sink.Options{Timeout: 9 * time.Second}, Cloud{})
	if err != nil {
		t.Fatal(err)
	}
	b := &memoryBucket{objects: map[string]string{}}
	a := &archive{config: s, metrics: newMetrics(nil, s.url), processors: make(semaphore, 2)}
	a.group = newGroup(s, b.write, a.processors)
	return a, b
}

// some returns changes from to from+n-1 of the set s.
func some(from, n int) sink.Batch {
	b := sinktest.Batch("s", from+n)
	b.Changes = b.Changes[from:]
	return b
}

// large returns a batch of more than worthwhile bytes.
func large(i int) sink.Batch {
	p := sinktest.One("s", i)
	p.Data = fmt.Appendf(nil, `{"i":%d,"text":%q}`, i, strings.Repeat("x", worthwhile))
	return sink.Batch{Changes: []format.Parsed{p}}
}

// Concurrent Puts share objects.
func TestGroup_sharedObjects(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		puts        []sink.Batch
		objects     []int // how many changes each has
		took        time.Duration
	}{
		{"one Put", "", []sink.Batch{some(0, 3)}, []int{3}, 250 * time.Millisecond},
		{"several Puts", "", []sink.Batch{some(0, 3), some(3, 2), some(5, 5)}, []int{10}, 250 * time.Millisecond},
		{"long linger", "?linger=2s", []sink.Batch{some(0, 3), some(3, 2)}, []int{5}, 2 * time.Second},
		{"no linger", "?linger=0s", []sink.Batch{some(0, 3), some(3, 2), some(5, 5)}, []int{2, 3, 5}, 0},
		{"identical batches", "", []sink.Batch{some(0, 3), some(0, 3), some(0, 3)}, []int{3}, 250 * time.Millisecond},
		{"identical batches, no linger", "?linger=0s", []sink.Batch{some(0, 3), some(0, 3)}, []int{3}, 0},
		{"exactly max-changes", "?max-changes=4", []sink.Batch{some(0, 2), some(2, 2)}, []int{4}, 0},
		{"over max-changes", "?max-changes=5", []sink.Batch{some(0, 2), some(2, 2), some(4, 2)}, []int{2, 4}, 250 * time.Millisecond},
		{"one batch over max-changes", "?max-changes=5", []sink.Batch{some(0, 9)}, []int{9}, 0},
		{"over max-bytes", "?max-bytes=20", []sink.Batch{some(0, 2), some(2, 2)}, []int{2, 2}, 250 * time.Millisecond},
		{"worthwhile, all Puts waiting", "", []sink.Batch{large(1), large(2), some(3, 4)}, []int{6}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, tt.query)
				began := time.Now()
				for i, v := range putAll(t, a, tt.puts) {
					if v != nil {
						t.Errorf("Put %d: %v", i, v)
					}
				}
				if got := b.sizes(); !slices.Equal(got, tt.objects) || b.writes != len(tt.objects) {
					t.Errorf("objects of %d changes in %d writes, want %d", got, b.writes, tt.objects)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

// putAll puts batches concurrently. Each starts once the one before has joined its object.
func putAll(t testing.TB, a *archive, batches []sink.Batch) []sink.Verdicts {
	t.Helper()
	verdicts := make([]sink.Verdicts, len(batches))
	hold := a.group.putStarted() // keeps objects open until all have joined
	var putting sync.WaitGroup
	for i, b := range batches {
		putting.Go(func() { verdicts[i] = a.Put(t.Context(), b) })
		synctest.Wait()
	}
	a.group.putDone(hold)
	putting.Wait()
	return verdicts
}

// The object of a Put with little time left is closed early enough to be written.
func TestGroup_shortDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "?linger=4s")
		began := time.Now()
		var putting sync.WaitGroup
		putting.Go(func() {
			if v := a.Put(t.Context(), some(0, 1)); v != nil {
				t.Error(v)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if v := a.Put(ctx, some(1, 1)); v != nil {
			t.Error(v)
		}
		putting.Wait()
		if took := time.Since(began); took != 50*time.Millisecond || len(b.objects) != 1 {
			t.Errorf("%d objects after %s, want 1 after half of the time", len(b.objects), took)
		}
	})
}

// While the object of one Put is written, that of another stays open, because the first
// sender may have more. It is closed when the first Put returns.
func TestGroup_openWhileAnotherIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openMemory(t, "?linger=4s")
		b.fault = func(context.Context, *object) (Outcome, bool, error) {
			<-time.After(time.Second)
			return Created, true, nil
		}
		began := time.Now()
		var putting sync.WaitGroup
		for i, want := range []time.Duration{time.Second, 2 * time.Second} {
			putting.Go(func() {
				if v := a.Put(t.Context(), large(i)); v != nil || time.Since(began) != want {
					t.Errorf("%v after %s, want %s", v, time.Since(began), want)
				}
			})
			synctest.Wait()
		}
		putting.Wait()
	})
}

// A cancelled Put returns at once and does not disturb the others.
func TestGroup_onePutCancelled(t *testing.T) {
	for _, phase := range []string{"open", "being written"} {
		t.Run(phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, "")
				write := make(chan struct{})
				b.fault = func(context.Context, *object) (Outcome, bool, error) {
					<-write
					return Created, true, nil
				}
				var putting sync.WaitGroup
				ctx, cancel := context.WithCancel(t.Context())
				putting.Go(func() {
					if v := a.Put(ctx, some(0, 2)); len(v) != 2 || !errors.Is(v[0], context.Canceled) {
						t.Errorf("cancelled: %v", v)
					}
					close(write)
				})
				putting.Go(func() {
					if v := a.Put(t.Context(), some(2, 2)); v != nil {
						t.Errorf("not cancelled: %v", v)
					}
				})
				if phase != "open" {
					<-time.After(time.Second)
				}
				synctest.Wait()
				cancel()
				putting.Wait()
				if v := a.Put(t.Context(), some(0, 2)); v != nil {
					t.Errorf("again: %v", v)
				}
				if got := b.sizes(); !slices.Equal(got, []int{4}) {
					t.Errorf("objects of %d changes", got)
				}
			})
		})
	}
}

// When all Puts are cancelled, no write is started and a running one is cancelled. No
// goroutine is left, or the synctest bubble would not end.
func TestGroup_allPutsCancelled(t *testing.T) {
	for _, tt := range []struct {
		phase  string
		after  time.Duration
		writes int
	}{{"open", 100 * time.Millisecond, 0}, {"being written", time.Second, 1}} {
		t.Run(tt.phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openMemory(t, "")
				b.fault = func(ctx context.Context, _ *object) (Outcome, bool, error) {
					<-ctx.Done()
					return Unknown, false, ctx.Err()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				time.AfterFunc(tt.after, cancel)
				began := time.Now()
				var putting sync.WaitGroup
				for i := range 3 {
					putting.Go(func() {
						if v := a.Put(ctx, some(i, 1)); len(v) != 1 || !errors.Is(v[0], context.Canceled) {
							t.Errorf("verdicts %v", v)
						}
					})
				}
				putting.Wait()
				if time.Since(began) != tt.after || len(b.objects) != 0 || b.writes != tt.writes {
					t.Errorf("%d objects in %d writes after %s", len(b.objects), b.writes, time.Since(began))
				}
			})
		})
	}
}
