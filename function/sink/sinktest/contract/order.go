package contract

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Sizes of a random run of testOrder.
const (
	lanes   = 4  // senders at the same time, each with its own records
	records = 3  // of a lane
	batches = 10 // of a lane
)

// Versions of a record that are put one after another, or in one batch, are stored in order,
// whatever the service does: the first copies of them are, and the last message of a record is
// its newest version. The senders put again what has failed, before anything newer.
func testOrder(t *testing.T, s Sink) {
	if !s.Ordered {
		t.Skip("this service has no order")
	}
	runs := 3
	if testing.Short() || changetest.Raced {
		runs = 1
	}
	for range runs {
		seed := rand.Uint64() //nolint:gosec // a random test
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { orderRun(t, s, seed) })
	}
}

func orderRun(t *testing.T, s Sink, seed uint64) {
	service := s.Start(t)
	opened := open(t, service, "", patience) // a call that is given up could be handled after its repetition
	random := faults{random: newRandom(seed, 0)}
	service.Fail(random.next)
	var sending sync.WaitGroup
	for lane := range lanes {
		sending.Go(func() { sendLane(t, opened, lane, newRandom(seed, lane+1)) })
	}
	sending.Wait()
	if t.Failed() {
		return
	}
	first, last := map[int][]int{}, map[int]int{}
	for _, data := range service.Stored(t) {
		var record, version int
		if _, err := fmt.Sscanf(data, `{"record":%d,"version":%d}`, &record, &version); err != nil {
			t.Fatalf("stored %q: %v", data, err)
		}
		last[record] = version
		if versions := first[record]; len(versions) < version {
			first[record] = append(versions, version)
		}
	}
	for record, versions := range first {
		for i, version := range versions {
			if version != i+1 {
				t.Fatalf("the first copies of record %d are of versions %v", record, versions)
			}
		}
		if newest := versions[len(versions)-1]; last[record] != newest {
			t.Errorf("the last message of record %d is version %d, want %d", record, last[record], newest)
		}
	}
	if len(first) == 0 {
		t.Error("nothing is stored")
	}
}

// newRandom returns the numbers of one part of a run.
func newRandom(seed uint64, part int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(part))) //nolint:gosec // a random test
}

// sendLane puts batches of a lane's records, and again what failed, until nothing has.
func sendLane(t *testing.T, opened sink.Sink, lane int, random *rand.Rand) {
	newest := [records]int{}
	var failed []format.Parsed
	late := time.Now().Add(patience)
	for sent := 0; sent < batches || len(failed) > 0; sent++ {
		if time.Now().After(late) {
			t.Errorf("lane %d has %d changes that are not stored after %s", lane, len(failed), patience)
			return
		}
		b := sink.Batch{Changes: failed}
		if sent < batches {
			for range 1 + random.IntN(5) {
				record := random.IntN(records)
				newest[record]++
				b.Changes = append(b.Changes, version(lane*records+record, newest[record]))
			}
		}
		v := opened.Put(t.Context(), b)
		failed = nil
		for i, p := range b.Changes {
			switch err := verdict(v, i); {
			case change.IsPermanent(err):
				t.Errorf("verdict on %s: %v", p.Data, err)
				return
			case err != nil:
				failed = append(failed, p)
			}
		}
	}
}

// faults makes some requests fail, in ways that pass. The sink repeats a request at once, or
// leaves that to the sender if it is forbidden.
type faults struct {
	mu     sync.Mutex
	random *rand.Rand
}

func (f *faults) next(r Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.random.IntN(12) {
	case 0, 1:
		return Fault{Kind: Lost}
	case 2:
		return Fault{Kind: Forbidden}
	case 3, 4:
		fault := Fault{Kind: Unavailable, Entries: []int{}}
		for i := range r {
			if f.random.IntN(2) == 0 {
				fault.Entries = append(fault.Entries, i)
			}
		}
		return fault
	}
	return Fault{}
}
