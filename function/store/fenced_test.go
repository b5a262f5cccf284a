package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
)

// A change that was published, or is older than what was, is dropped. What the order of
// versions leaves open passes.
func TestStore_fenceDropsStaleChanges(t *testing.T) {
	w := func(lut int64, generation uint32) change.Version {
		return change.Version{LUT: lut, Generation: generation}
	}
	d := func(lut int64, generation uint32) change.Version {
		return change.Version{LUT: lut, Generation: generation, Op: change.Delete}
	}
	for _, tt := range []struct {
		name             string
		published, later change.Version
		mode             change.Mode
		want             Result
	}{
		{"duplicate", w(5, 2), w(5, 2), 0, Stale},
		{"older", w(5, 2), w(4, 9), 0, Stale},
		{"newer", w(5, 2), w(6, 1), 0, Stored},
		{"older generation of the same time", w(5, 3), w(5, 2), 0, Stale},
		{"newer generation of the same time", w(5, 2), w(5, 3), 0, Stored},
		{"older, before the wrap of generations", w(5, 1), w(5, 65535), 0, Stale},
		{"newer, after the wrap of generations", w(5, 65535), w(5, 1), 0, Stored},
		{"delete after the write", w(5, 2), d(5, 3), 0, Stored},
		{"duplicate of a delete", d(5, 3), d(5, 3), 0, Stale},
		{"write that is older than the delete", d(5, 3), w(4, 2), 0, Stale},
		{"write of the time of the delete, before it or after it", d(5, 3), w(5, 1), 0, Stored},
		{"record that was created again", d(5, 3), w(6, 1), 0, Stored},
		{"older generation of a later time, after the clock went back", w(5, 9), w(5, 10), 0, Stored},
		{"no time", w(5, 2), w(0, 2), 0, Stored},
		{"no generation, same time", w(5, 2), w(5, 0), 0, Stored},
		{"no generation, older", w(5, 2), w(4, 0), 0, Stale},
		{"older update of some bins, which the newer one may lack", w(5, 2), w(4, 1), change.Update, Stored},
		{"duplicate of an update", w(5, 2), w(5, 2), change.Update, Stale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := &journal{}
			s := config{sinks: []sink.Sink{j}}.open(t)
			first, then := versionOf("shop", 1, tt.published), versionOf("shop", 1, tt.later)
			first.Change.Mode, then.Change.Mode = tt.mode, tt.mode
			expect(t, s, j, batchOf(first), "stored", string(first.Data))
			o := s.Put(t.Context(), Request{}, batchOf(then))
			if o.Of(0) != tt.want || !o.IsSuccess() || !o.AllStored() || o.Err(0) != nil || len(j.take()) != o.Changes()-o.Stale() {
				t.Errorf("%v (%v), want %v", o.Of(0), o.Err(0), tt.want)
			}
			if tt.later.Supersedes(tt.published) {
				expect(t, s, j, batchOf(then, first), "stale stale")
			}
		})
	}
}

// An older version with all bins has bins that a newer update lacks. It is published unless a
// version with all bins that is as new was.
func TestStore_fenceUpdates(t *testing.T) {
	whole := func(lut int64) format.Parsed { return shop(lut, uint32(lut)) }
	update := func(lut int64) format.Parsed {
		p := whole(lut)
		p.Change.Mode = change.Update
		return p
	}
	for _, tt := range []struct {
		name    string
		changes []format.Parsed // one request each
		want    string
	}{
		{"before the first update", []format.Parsed{update(6), whole(5), update(6)}, "[stored][stored][stale]"},
		{"between", []format.Parsed{whole(5), update(7), whole(6), whole(5), whole(4), update(7), update(6)}, "[stored][stored][stored][stale][stale][stale][stored]"},
		{"after two updates", []format.Parsed{whole(5), update(6), update(8), whole(7), whole(5)}, "[stored][stored][stored][stored][stale]"},
		{"before a newer one with all bins", []format.Parsed{whole(5), update(6), whole(7), whole(6), update(8), whole(7)}, "[stored][stored][stored][stale][stored][stale]"},
	} {
		s := config{sinks: []sink.Sink{&journal{}}}.open(t)
		var got strings.Builder
		for _, p := range tt.changes {
			o := s.Put(t.Context(), Request{}, batchOf(p))
			got.WriteString(results(&o))
		}
		if got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, &got, tt.want)
		}
	}
}

// The same holds when the sink has failed the version with all bins, and when only one of two
// sinks has the update.
func TestStore_fenceUpdateAfterAFailure(t *testing.T) {
	failing := shop(6, 2)
	update := shop(7, 3)
	update.Change.Mode = change.Update
	fails := string(failing.Data)
	put := func(_ context.Context, p *format.Parsed) error {
		if string(p.Data) == fails {
			return errLater
		}
		return nil
	}
	j := &journal{put: put}
	s := config{sinks: []sink.Sink{j}}.open(t)
	expect(t, s, j, batchOf(shop(5, 1)), "stored", "shop/1@5.1.write")
	expect(t, s, j, batchOf(failing, update), "retry stored", "shop/1@7.3.write")
	fails = ""
	expect(t, s, j, batchOf(failing), "stored", "shop/1@6.2.write")

	fails = string(update.Data)
	good, bad := &journal{}, &journal{put: put}
	s = config{sinks: []sink.Sink{good, bad}}.open(t)
	expect(t, s, good, batchOf(update), "retry", "shop/1@7.3.write")
	fails = ""
	expect(t, s, good, batchOf(failing), "stored", "shop/1@6.2.write")
	expect(t, s, good, batchOf(update), "stored")
}

// The same record in another namespace, or another record, is something else.
func TestStore_fenceTellsRecordsApart(t *testing.T) {
	j := &journal{}
	s := config{sinks: []sink.Sink{j}}.open(t)
	v := change.Version{LUT: 5, Generation: 1}
	all := batchOf(versionOf("shop", 1, v), versionOf("shop", 2, v), versionOf("bank", 1, v))
	expect(t, s, j, all, "stored stored stored", "shop/1@5.1.write", "shop/2@5.1.write", "bank/1@5.1.write")
	expect(t, s, j, all, "stale stale stale")
}

// The versions of a record in one request are published in order, whatever their order in it,
// and each once.
func TestStore_fenceOrdersVersionsOfARequest(t *testing.T) {
	j := &journal{}
	s := config{sinks: []sink.Sink{j}}.open(t)
	other := versionOf("shop", 2, change.Version{LUT: 5, Generation: 1})
	expect(t, s, j, batchOf(shop(7, 3), other, shop(6, 2), shop(7, 3), shop(5, 1)), "stored stored stored stale stored",
		"shop/1@5.1.write", "shop/2@5.1.write", "shop/1@6.2.write", "shop/1@7.3.write")
	expect(t, s, j, batchOf(shop(8, 4), shop(7, 3), shop(9, 5)), "stored stale stored", "shop/1@8.4.write", "shop/1@9.5.write")
	expect(t, s, j, batchOf(shop(9, 5), shop(9, 5)), "stale stale")
	expect(t, s, j, batchOf(shop(0, 5), shop(0, 5)), "stored stored", "shop/1@0.5.write", "shop/1@0.5.write")
}

// A change shares the result of the same change in the request.
func TestStore_fenceSharesResults(t *testing.T) {
	j := &journal{put: func(context.Context, *format.Parsed) error { return errLater }}
	s := config{sinks: []sink.Sink{j}}.open(t)
	o := expect(t, s, j, batchOf(shop(5, 1), shop(5, 1)), "retry retry")
	if !errors.Is(o.Err(1), errLater) {
		t.Errorf("error %v", o.Err(1))
	}
	j.put = func(context.Context, *format.Parsed) error { return errNever }
	expect(t, s, j, batchOf(shop(5, 1), shop(5, 1)), "refused refused")
}

// A change that not every sink has leaves no state, and neither does a dead letter: its replay
// must not be dropped.
func TestStore_fenceKnowsOnlyWhatIsPublished(t *testing.T) {
	for _, tt := range []struct {
		name    string
		verdict error
		want    string
	}{
		{"a sink fails", errLater, "retry"},
		{"dead letter", errNever, "dead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verdict := tt.verdict
			j, other, dead := &journal{}, &journal{put: func(context.Context, *format.Parsed) error { return verdict }}, &journal{}
			s := config{sinks: []sink.Sink{j, other}, deadLetters: dead}.open(t)
			expect(t, s, j, batchOf(shop(5, 1)), tt.want, "shop/1@5.1.write")
			verdict = nil
			o := s.Put(t.Context(), Request{}, batchOf(shop(5, 1)))
			if stored := other.take(); o.Of(0) != Stored || len(stored) != 1 {
				t.Errorf("%v, stored %q", o.Of(0), stored)
			}
			j.take()
			expect(t, s, j, batchOf(shop(5, 1)), "stale")
		})
	}
}

// Dead letters that a connector gave up, and changes that cannot be read, pass by the fence.
func TestStore_fenceIgnoresDeadLetters(t *testing.T) {
	j, dead := &journal{}, &journal{}
	f := &failing{Fence: fence.NewMemory(1 << 16)}
	s := config{sinks: []sink.Sink{j}, deadLetters: dead, fence: f}.open(t)
	unreadable := shop(5, 1)
	unreadable.Err = errNever
	expect(t, s, j, batchOf(unreadable), "dead")
	expect(t, s, j, batchOf(unreadable), "dead")
	if o := s.PutDeadLetter(t.Context(), unreadable, sink.DeadLetter{}, ""); o.Of(0) != Dead {
		t.Errorf("%v", o.Of(0))
	}
	if n := len(dead.take()); n != 3 || f.reads+f.writes != 0 {
		t.Errorf("%d dead letters, %d reads, %d writes", n, f.reads, f.writes)
	}
}

// While a change of a record is under way, others of the record wait, and those of other
// records do not.
func TestStore_fenceSerialisesARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{put: func(_ context.Context, p *format.Parsed) error {
			time.Sleep(time.Duration(p.Change.Expiry) * time.Second)
			return nil
		}}
		s := config{sinks: []sink.Sink{j}}.open(t)
		slow := func(p format.Parsed, seconds int64) format.Parsed {
			p.Change.Expiry = seconds
			return p
		}
		began := time.Now()
		took := map[string]time.Duration{}
		var mu sync.Mutex
		var putting sync.WaitGroup
		put := func(name string, limit time.Duration, want string, changes ...format.Parsed) {
			putting.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				o := s.Put(ctx, Request{}, batchOf(changes...))
				mu.Lock()
				defer mu.Unlock()
				if took[name] = time.Since(began); results(&o) != want {
					t.Errorf("%s: %s (%v), want %s", name, results(&o), o.Err(0), want)
				}
			})
			synctest.Wait() // until it waits for the record
		}
		other := versionOf("shop", 2, change.Version{LUT: 5, Generation: 1})
		put("first", time.Hour, "[stored]", slow(shop(5, 1), 10))
		put("duplicate", time.Hour, "[stale]", shop(5, 1))
		put("impatient", 3*time.Second, "[retry retry]", shop(6, 2), versionOf("shop", 3, change.Version{LUT: 5, Generation: 1}))
		put("newer", time.Hour, "[stored]", slow(shop(7, 3), 1))
		put("older", time.Hour, "[stale]", shop(6, 2))
		put("of another record", time.Hour, "[stored]", other)
		putting.Wait()
		for name, want := range map[string]int{"first": 10, "duplicate": 10, "impatient": 3, "newer": 11, "older": 11, "of another record": 0} {
			if took[name] != time.Duration(want)*time.Second {
				t.Errorf("%s took %s, want %d s", name, took[name], want)
			}
		}
		synctest.Wait()
		if n := len(s.fenced.locks.last); n != 0 {
			t.Errorf("%d records are held although no request is under way", n)
		}
	})
}

// A panic of a sink or of the fence releases the records.
func TestStore_fencePanics(t *testing.T) {
	for _, name := range []string{"sink", "read", "write"} {
		t.Run(name, func(t *testing.T) {
			broken := true
			fault := func(at string) error {
				if broken && at == name {
					panic("broken")
				}
				return nil
			}
			j := &journal{put: func(context.Context, *format.Parsed) error { return fault("sink") }}
			f := &failing{Fence: fence.NewMemory(1 << 16)}
			f.read = func(context.Context, *sink.State) error { return fault("read") }
			f.write = func(context.Context, *sink.State) error { return fault("write") }
			s := config{sinks: []sink.Sink{j}, fence: f}.open(t)
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				s.Put(t.Context(), Request{}, batchOf(shop(5, 1)))
			}()
			broken = false
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if o := s.Put(ctx, Request{}, batchOf(shop(6, 2))); o.Of(0) != Stored {
				t.Errorf("%v after the panic", o.Err(0))
			}
		})
	}
}

// While the fence fails, changes get a verdict that can be retried, or are published as if
// there were none.
func TestStore_fenceFails(t *testing.T) {
	fail := func(only byte, err error) func(context.Context, *sink.State) error {
		return func(_ context.Context, s *sink.State) error {
			if s.Digest[0] == only {
				return err
			}
			return nil
		}
	}
	other := versionOf("shop", 2, change.Version{LUT: 5, Generation: 1})
	const one, two = "shop/1@5.1.write", "shop/2@5.1.write"
	for _, tt := range []struct {
		name        string
		pass        bool
		read, write func(context.Context, *sink.State) error
		want        string
		stored      []string
		unfenced    int
		repeat      string // the results of a repeat once the fence works again
		again       []string
	}{
		{"read, retry", false, fail(1, errLater), nil, "retry stored", []string{two}, 0, "stored stale", []string{one}},
		{"read, pass", true, fail(1, errLater), nil, "stored stored", []string{one, two}, 1, "stored stale", nil},
		{"write, retry", false, nil, fail(1, errLater), "retry stored", []string{one, two}, 0, "stored stale", nil},
		{"write, pass", true, nil, fail(1, errLater), "stored stored", []string{one, two}, 1, "stored stale", nil},
		{"permanently, retry", false, nil, fail(1, errNever), "retry stored", []string{one, two}, 0, "stored stale", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, dead := &journal{}, &journal{}
			f := &failing{Fence: fence.NewMemory(1 << 16), read: tt.read, write: tt.write}
			s := config{sinks: []sink.Sink{j}, deadLetters: dead, fence: f, pass: tt.pass}.open(t)
			o := expect(t, s, j, batchOf(shop(5, 1), other), tt.want, tt.stored...)
			if u := o.Unfenced(); u.Changes != tt.unfenced || (u.Err == nil) != (tt.unfenced == 0) {
				t.Errorf("%+v, want %d changes", u, tt.unfenced)
			}
			if err := errors.Join(o.Err(0), o.Unfenced().Err); err == nil || !strings.HasPrefix(err.Error(), "fence: ") || change.IsPermanent(err) {
				t.Errorf("error %v", err)
			}
			f.read, f.write = nil, nil
			expect(t, s, j, batchOf(shop(5, 1), other), tt.repeat, tt.again...)
			expect(t, s, j, batchOf(shop(5, 1), other), "stale stale")
			if n := len(dead.take()); n > 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// The fence has the time of the request, also after its sender has gone.
func TestStore_fenceContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(d time.Duration) func(context.Context, *sink.State) error {
			return func(ctx context.Context, _ *sink.State) error {
				select {
				case <-time.After(d):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		j := &journal{}
		f := &failing{Fence: fence.NewMemory(1 << 16), read: wait(time.Hour)}
		s := config{sinks: []sink.Sink{j}, fence: f}.open(t)
		limited, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		began := time.Now()
		if o := s.Put(limited, Request{}, batchOf(shop(5, 1))); o.Of(0) != Retry || !errors.Is(o.Err(0), context.DeadlineExceeded) || time.Since(began) != 9*time.Second {
			t.Errorf("%v, %v after %s", o.Of(0), o.Err(0), time.Since(began))
		}
		f.read, f.write = nil, wait(time.Second)
		gone, leave := context.WithTimeout(t.Context(), 9*time.Second)
		j.put = func(context.Context, *format.Parsed) error { leave(); return nil }
		if o := s.Put(gone, Request{}, batchOf(shop(5, 1))); o.Of(0) != Stored {
			t.Errorf("%v, %v, although the sender left after the sink had stored the change", o.Of(0), o.Err(0))
		}
		f.write = wait(time.Hour)
		began = time.Now()
		late, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		if o := s.Put(late, Request{}, batchOf(shop(6, 2))); o.Of(0) != Retry || time.Since(began) != 9*time.Second {
			t.Errorf("%v, %v after %s", o.Of(0), o.Err(0), time.Since(began))
		}
	})
}

// A sink that has a version does not get an older one after it, although the fence does not
// know yet because the other sink failed, or refused the version.
func TestStore_fenceNoOlderVersionAfterAFailure(t *testing.T) {
	for _, tt := range []struct {
		verdict error
		want    string
	}{{errLater, "retry"}, {errNever, "dead"}} {
		verdict := tt.verdict
		good, bad := &journal{}, &journal{put: func(context.Context, *format.Parsed) error { return verdict }}
		s := config{sinks: []sink.Sink{good, bad}, deadLetters: &journal{}}.open(t)
		expect(t, s, good, batchOf(shop(6, 2)), tt.want, "shop/1@6.2.write")
		verdict = nil
		expect(t, s, good, batchOf(shop(5, 1)), "stored")
		expect(t, s, good, batchOf(shop(6, 2)), "stored")
		expect(t, s, good, batchOf(shop(5, 1), shop(6, 2)), "stale stale")
		if got := strings.Join(bad.take(), " "); got != "shop/1@5.1.write shop/1@6.2.write" {
			t.Errorf("%s: the other sink has %s", tt.want, got)
		}
	}
}

// What a sink has that the fence does not know is kept for ten minutes after the last failure.
func TestStore_fenceForgetsAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verdict := errLater
		good, bad := &journal{}, &journal{put: func(context.Context, *format.Parsed) error { return verdict }}
		s := config{sinks: []sink.Sink{good, bad}}.open(t)
		expect(t, s, good, batchOf(shop(6, 2)), "retry", "shop/1@6.2.write")
		verdict = nil
		time.Sleep(2*maxGenerationAge - time.Second)
		expect(t, s, good, batchOf(shop(4, 1)), "stored")
		time.Sleep(time.Second)
		expect(t, s, good, batchOf(shop(5, 1)), "stored", "shop/1@5.1.write")
		if s.targets[0].newest.versions != nil {
			t.Error("the versions are kept")
		}
	})
}

// A fence that cannot be opened is tried again, and is closed with the sinks.
func TestStore_fenceOpenAndClose(t *testing.T) {
	err, closed := errLater, errors.New("closed")
	s := New(Config{
		Sinks: []sink.Spec{{New: func(context.Context) (sink.Sink, error) { return &journal{}, nil }}},
		Fence: &sink.FenceSpec{URL: "fence:a", New: func(context.Context) (sink.Fence, error) { return closing{nil, closed}, err }},
	})
	if got := s.Open(t.Context()); !errors.Is(got, errLater) || !strings.Contains(got.Error(), "open fence fence:a: ") {
		t.Errorf("error %v", got)
	}
	err = nil
	if err := s.Open(t.Context()); err != nil || len(s.targets) != 1 {
		t.Errorf("error %v, %d sinks", err, len(s.targets))
	}
	if err := s.Close(); !errors.Is(err, closed) {
		t.Errorf("error %v", err)
	}
}

// closing is a fence whose Close returns an error.
type closing struct {
	sink.Fence
	err error
}

func (c closing) Close() error { return c.err }

// The window between two instances, as the README describes it: two that have two versions of a
// record in hand at the same moment publish both, in any order. The state is the newer one
// whoever writes last, and what comes later is dropped.
func TestStore_fenceTwoInstances(t *testing.T) {
	shared := fence.NewMemory(1 << 16) // as one in Aerospike would be
	j := &journal{}
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := &journal{put: func(context.Context, *format.Parsed) error {
		close(begun)
		<-goOn
		return nil
	}}
	a, b := config{sinks: []sink.Sink{slow}, fence: shared}.open(t), config{sinks: []sink.Sink{j}, fence: shared}.open(t)
	older := make(chan Outcome)
	go func() { older <- a.Put(context.Background(), Request{}, batchOf(shop(5, 1))) }()
	<-begun
	expect(t, b, j, batchOf(shop(6, 2)), "stored", "shop/1@6.2.write")
	close(goOn)
	if o := <-older; o.Of(0) != Stored || len(slow.take()) != 1 {
		t.Errorf("the older version: %v", o.Of(0))
	}
	slow.put = nil
	for _, s := range []*Store{a, b} {
		if o := s.Put(t.Context(), Request{}, batchOf(shop(5, 1), shop(6, 2))); results(&o) != "[stale stale]" {
			t.Errorf("afterwards: %s", results(&o))
		}
	}
}

// What a repeat of a change was remembered for is forgotten when the change is stale.
func TestStore_fenceForgetsStaleChanges(t *testing.T) {
	verdict := errLater
	good, bad := &journal{}, &journal{put: func(context.Context, *format.Parsed) error { return verdict }}
	s := config{sinks: []sink.Sink{good, bad}}.open(t)
	expect(t, s, good, batchOf(shop(5, 1)), "retry", "shop/1@5.1.write")
	verdict = nil
	expect(t, s, good, batchOf(shop(6, 2)), "stored", "shop/1@6.2.write")
	expect(t, s, good, batchOf(shop(5, 1)), "stale")
	if s.remembers() {
		t.Error("a stale change is remembered")
	}
}

// With a fence, the number of allocations of a request does not depend on the number of its
// changes, and its locks keep nothing.
func TestStore_fenceAllocations(t *testing.T) {
	if changetest.Raced {
		t.Skip("a pool forgets at random under the race detector")
	}
	b := sink.Batch{}
	for i := range 500 {
		p := versionOf("shop", i, change.Version{LUT: 1, Generation: 1})
		p.Change.Digest[1] = byte(i >> 8)
		b.Changes = append(b.Changes, p)
	}
	s := config{sinks: []sink.Sink{verdictSink{new(error)}}, fence: fence.NewMemory(1 << 20)}.open(t)
	perRequest := testing.AllocsPerRun(100, func() {
		for i := range b.Changes {
			b.Changes[i].Change.LUT++
		}
		if o := s.Put(t.Context(), Request{}, b); o.Of(0) != Stored {
			t.Errorf("%v", o.Of(0))
		}
	})
	t.Logf("%.0f allocations for a request of 500 changes", perRequest)
	if perRequest > 20 || len(s.fenced.locks.last) != 0 {
		t.Errorf("%.0f allocations for a request of 500 changes, %d records held", perRequest, len(s.fenced.locks.last))
	}
}
