package xdrtest

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

// Nothing is lost or repeated, and the messages of a record keep their order.
func TestQueue_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		want := map[change.Digest][]uint32{}
		got := map[change.Digest][]uint32{}
		n := uint32(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				n++
				i := item{digest: change.Digest{byte(rapid.IntRange(0, 3).Draw(t, "partition")), 2: byte(rapid.IntRange(0, 2).Draw(t, "record"))}, message: &message{version: Version{Generation: n}}}
				q.add(i)
				want[i.digest] = append(want[i.digest], n)
				continue
			}
			most := rapid.IntRange(0, 5).Draw(t, "at most")
			taken := q.take(most, func(*item) bool { return rapid.IntRange(0, 3).Draw(t, "may") > 0 })
			if len(taken) > most {
				t.Fatalf("%d taken, at most %d asked for", len(taken), most)
			}
			for at, i := range slices.Backward(taken) {
				if rapid.IntRange(0, 4).Draw(t, "back") == 0 && !slices.ContainsFunc(taken[at+1:], func(o item) bool { return o.digest == i.digest }) {
					q.addFirst(i)
					taken = slices.Delete(taken, at, at+1)
				}
			}
			for _, i := range taken {
				got[i.digest] = append(got[i.digest], i.message.version.Generation)
			}
		}
		total := q.len()
		if total != len(q.drain()) || q.len() != 0 {
			t.Fatalf("%d left of a queue that was emptied", q.len())
		}
		for d, order := range got {
			total += len(order)
			if !slices.Equal(order, want[d][:len(order)]) {
				t.Fatalf("record %s: %v, want %v", d, order, want[d])
			}
		}
		if total != int(n) {
			t.Fatalf("%d of %d came out", total, n)
		}
	})
}

// A record is queued once, a message each time.
func TestQueue_recordOnce(t *testing.T) {
	var q queue
	r, m := item{digest: change.Digest{1}, record: &record{}}, item{digest: change.Digest{1}, message: &message{}}
	if !q.add(r) || q.add(r) || q.addFirst(r) || !q.add(m) || !q.addFirst(m) {
		t.Errorf("%+v", q)
	}
	for range 3 {
		if taken := q.take(1, func(*item) bool { return true }); len(taken) != 1 {
			t.Errorf("took %+v of %+v", taken, q)
		}
	}
	if q.len() != 0 || len(q.turns) != 0 {
		t.Errorf("%+v is left", q)
	}
}

// A queue that is never empty has the memory of the items in it, not of all that came.
func TestQueue_neverEmpty(t *testing.T) {
	var q queue
	const backlog = 10
	for i := range 10_000 {
		q.add(item{message: &message{version: Version{Generation: uint32(i)}}, digest: change.Digest{2: byte(i)}})
		if i < backlog {
			continue
		}
		for _, taken := range q.take(1, func(*item) bool { return true }) {
			if got := taken.message.version.Generation; got != uint32(i-backlog) {
				t.Fatalf("took %d after %d", got, i-backlog)
			}
		}
	}
	if size := cap(q.partitions[0].items); size > 10*backlog {
		t.Errorf("room for %d items", size)
	}
}

// One item is taken and put back at the other end, with many others or few.
func BenchmarkQueue_backlog(b *testing.B) {
	for _, backlog := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			var q queue
			for i := range backlog {
				q.add(item{digest: change.Digest{byte(i), byte(i >> 8), byte(i >> 16)}, record: &record{}})
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, i := range q.take(1, func(*item) bool { return true }) {
					q.add(i)
				}
			}
		})
	}
}
