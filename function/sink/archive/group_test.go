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

// memoryBucket is a bucket in memory, with faults. Its name is what it stores.
type memoryBucket struct {
	mu      sync.Mutex
	objects map[string]string // their content
	writes  int

	// fault, unless it is nil, says how a write ends, and whether the object is there
	// nonetheless. Nil is success.
	fault func(ctx context.Context, o *object) (out Outcome, there bool, err error)
}

func (b *memoryBucket) write(ctx context.Context, o *object) (Outcome, error) {
	b.mu.Lock()
	b.writes++
	fault := b.fault
	b.mu.Unlock()
	var out Outcome
	var err error
	there := true
	if fault != nil {
		out, there, err = fault(ctx, o)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	content := string(bytes.Join(o.content, nil))
	if before, ok := b.objects[o.name]; there && ok && before != content {
		panic("two contents have one name")
	}
	if there {
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

// openIn opens an archive in a bucket of memory.
func openIn(t testing.TB, query string) (*archive, *memoryBucket) {
	t.Helper()
	u, err := url.Parse(sinktest.ArchiveSink + query)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseConfig(u)
	if err != nil {
		t.Fatal(err)
	}
	s.timeout = 9 * time.Second
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

// large returns a batch of more bytes than are worthwhile.
func large(i int) sink.Batch {
	p := sinktest.One("s", i)
	p.Data = fmt.Appendf(nil, `{"i":%d,"text":%q}`, i, strings.Repeat("x", worthwhile))
	return sink.Batch{Changes: []format.Parsed{p}}
}

// Puts that run at once share objects.
func TestGroup(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		puts        []sink.Batch
		objects     []int // how many changes each has
		took        time.Duration
	}{
		{"one lingers", "", []sink.Batch{some(0, 3)}, []int{3}, 250 * time.Millisecond},
		{"many share", "", []sink.Batch{some(0, 3), some(3, 2), some(5, 5)}, []int{10}, 250 * time.Millisecond},
		{"as long as the URL says", "?linger=2s", []sink.Batch{some(0, 3), some(3, 2)}, []int{5}, 2 * time.Second},
		{"never shared", "?linger=0s", []sink.Batch{some(0, 3), some(3, 2), some(5, 5)}, []int{2, 3, 5}, 0},
		{"the same is there once", "", []sink.Batch{some(0, 3), some(0, 3), some(0, 3)}, []int{3}, 250 * time.Millisecond},
		{"also where nothing is shared", "?linger=0s", []sink.Batch{some(0, 3), some(0, 3)}, []int{3}, 0},
		{"full to the last change", "?max-changes=4", []sink.Batch{some(0, 2), some(2, 2)}, []int{4}, 0},
		{"too many changes for one", "?max-changes=5", []sink.Batch{some(0, 2), some(2, 2), some(4, 2)}, []int{2, 4}, 250 * time.Millisecond},
		{"more than an object has room for", "?max-changes=5", []sink.Batch{some(0, 9)}, []int{9}, 0},
		{"too many bytes for one", "?max-bytes=20", []sink.Batch{some(0, 2), some(2, 2)}, []int{2, 2}, 250 * time.Millisecond},
		{"nobody left to wait for", "", []sink.Batch{large(1), large(2), some(3, 4)}, []int{6}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openIn(t, tt.query)
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

// putAll puts batches at once, each after the other has joined.
func putAll(t testing.TB, a *archive, batches []sink.Batch) []sink.Verdicts {
	t.Helper()
	verdicts := make([]sink.Verdicts, len(batches))
	hold := a.group.putStarted() // so that none is the only one that runs
	var putting sync.WaitGroup
	for i, b := range batches {
		putting.Go(func() { verdicts[i] = a.Put(t.Context(), b) })
		synctest.Wait()
	}
	a.group.putDone(hold)
	putting.Wait()
	return verdicts
}

// A Put that has little time left closes its object in time for the writing.
func TestGroupBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "?linger=4s")
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

// While a Put has its object written, what others bring waits for what comes after it,
// and no longer.
func TestGroupWaitsForWhoMayCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openIn(t, "?linger=4s")
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

// Who gives up gets an error at once, and takes nothing from those that still wait.
func TestGroupCancelled(t *testing.T) {
	for _, phase := range []string{"open", "being written"} {
		t.Run(phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openIn(t, "")
				write := make(chan struct{})
				b.fault = func(context.Context, *object) (Outcome, bool, error) {
					<-write
					return Created, true, nil
				}
				var putting sync.WaitGroup
				ctx, cancel := context.WithCancel(t.Context())
				putting.Go(func() {
					if v := a.Put(ctx, some(0, 2)); len(v) != 2 || !errors.Is(v[0], context.Canceled) {
						t.Errorf("given up: %v", v)
					}
					close(write)
				})
				putting.Go(func() {
					if v := a.Put(t.Context(), some(2, 2)); v != nil {
						t.Errorf("not given up: %v", v)
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

// When all have given up, nothing is written that was not begun, what was begun ends,
// and no goroutine is left: the bubble would not end.
func TestGroupCancelledByAll(t *testing.T) {
	for _, tt := range []struct {
		phase  string
		after  time.Duration
		writes int
	}{{"open", 100 * time.Millisecond, 0}, {"being written", time.Second, 1}} {
		t.Run(tt.phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := openIn(t, "")
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
