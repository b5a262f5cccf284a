package audit_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/audit"
)

// losses is what is done to the changes of records on the way to the archive.
type losses struct {
	want  map[change.Digest]audit.Kind
	alter map[change.Digest]func(change.Change) []change.Change
}

// An audit finds every loss that was planted among 100,000 records, and nothing else, while
// clients write, delete and create records.
func TestRun_plantedLosses(t *testing.T) {
	records := 100_000
	if testing.Short() || changetest.Raced {
		records = 10_000
	}
	a := newArchive(t)
	funnel, url := startFunnel(t, a)
	source := startConnector(t, url)
	c := newNode(t, devnode.Config{Source: source})
	ship(t, source)

	const before = time.Hour
	c.clock.behind.Store(int64(before))
	l := plant(c, records)
	alter := func(ch change.Change) []change.Change {
		if ch.Expiry > 0 { // the connector has taken the TTL as one from now
			ch.Expiry -= int64(before / time.Second)
		}
		if f := l.alter[ch.Digest]; f != nil {
			return f(ch)
		}
		return []change.Change{ch}
	}
	funnel.alter.Store(&alter)
	c.load(0, records, 100_000) // generation 1
	settle(t, source)
	c.load(0, records/2, 100_000) // generation 2
	for i := range records / 10 {
		c.delete(i)
	}
	settle(t, source)
	c.clock.behind.Store(0)

	const margin = 5 * time.Second
	stop := c.keepWriting(t, records)
	wait(t, margin+time.Second) // so that some of that is before the watermark
	o := options(c, a)
	o.Margin = margin
	got, sum, err := run(t, o)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.want, got); diff != "" {
		t.Errorf("%d findings, want %d (-want +got):\n%s", len(got), len(l.want), diff)
	}
	if sum.UnderWay == 0 {
		t.Error("nothing changed during the audit; the test does not test that")
	}
	t.Logf("%+v", sum)
}

// plant chooses records, of which every tenth is deleted in the end and the first half is
// written twice, and what becomes of their changes.
func plant(c *cluster, records int) *losses {
	l := &losses{want: map[change.Digest]audit.Kind{}, alter: map[change.Digest]func(change.Change) []change.Change{}}
	deleted, twice := records/10, records/2
	each := func(from, count int, kind audit.Kind, alter func(change.Change) []change.Change) {
		for i := range count {
			d := c.digest(from + i)
			if kind != "" {
				l.want[d] = kind
			}
			l.alter[d] = alter
		}
	}
	n := records / 500
	drop := func(op func(change.Change) bool) func(change.Change) []change.Change {
		return func(ch change.Change) []change.Change {
			if op(ch) {
				return nil
			}
			return []change.Change{ch}
		}
	}
	isDelete := func(ch change.Change) bool { return ch.Op.IsDelete() }
	generation := func(g uint32) func(change.Change) bool {
		return func(ch change.Change) bool { return ch.Generation == g }
	}
	all := func(change.Change) bool { return true }

	each(0, n, audit.Unexpected, drop(isDelete))
	each(n, n, "", drop(all)) // written and deleted, and the archive has nothing of it
	each(2*n, n, "", drop(generation(1)))
	each(3*n, n, "", drop(generation(2))) // the delete came

	each(deleted, n, audit.Stale, drop(generation(2)))
	each(deleted+n, n, audit.Stale, func(ch change.Change) []change.Change { // an old version came late, and the new one as an even older one
		ch.Generation, ch.LUT = 1, ch.LUT-100
		return []change.Change{ch}
	})
	each(deleted+2*n, n, "", drop(generation(1)))
	each(deleted+3*n, n, "", func(ch change.Change) []change.Change { return []change.Change{ch, ch} })
	each(deleted+4*n, n, audit.Stale, func(ch change.Change) []change.Change { // deleted and created again, and only the delete came
		if ch.Generation == 2 {
			ch = change.Change{Op: change.Delete, Namespace: ch.Namespace, Set: ch.Set, Digest: ch.Digest, Generation: 2, LUT: ch.LUT - 1}
		}
		return []change.Change{ch}
	})

	each(twice, n, audit.Missing, drop(all))
	each(twice+n, n, audit.Revived, func(ch change.Change) []change.Change {
		return []change.Change{ch, {Op: change.DurableDelete, Namespace: ch.Namespace, Set: ch.Set, Digest: ch.Digest, Generation: 2, LUT: ch.LUT + 1}}
	})
	each(twice+2*n, n, audit.Older, func(ch change.Change) []change.Change {
		ch.Generation, ch.LUT = 2, ch.LUT+1
		return []change.Change{ch}
	})
	each(twice+3*n, n, audit.Expiry, func(ch change.Change) []change.Change {
		ch.Expiry += 60
		return []change.Change{ch}
	})
	each(twice+4*n, n, "", func(ch change.Change) []change.Change {
		ch.Expiry += 3
		return []change.Change{ch}
	})
	return l
}

// keepWriting writes, deletes and creates records from first on, until stop is called.
func (c *cluster) keepWriting(t *testing.T, first int) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			for {
				n := first + 2*random.IntN(3000) + w
				for range 2 {
					c.put(n, 0)
				}
				if random.IntN(3) == 0 {
					c.delete(n)
				}
				select {
				case <-done:
					return
				case <-pace.C:
				}
			}
		})
	}
	return func() {
		close(done)
		writing.Wait()
	}
}
