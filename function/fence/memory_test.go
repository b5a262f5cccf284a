package fence_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/sink"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{"memory", ""},
		{"memory?size=64MiB", ""},
		{"memory?size=1KiB", "invalid size size=1KiB: want 65536 to 68719476736 bytes"},
		{"memory?size=lots", "invalid size"},
		{"memory?sizes=64MiB", "unknown parameter sizes; known are size"},
		{"Memory", "want memory or memory?size=64MiB"},
		{"memory:", "want memory"},
		{"aerospike://a:3000/state/fence?mode=fence", "a fence in Aerospike is one of SINKS, with mode=fence"},
		{"%", "want memory"},
	} {
		spec, err := fence.Parse(tt.text)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.text, err, tt.err)
		}
		if err == nil && (spec.URL != tt.text || spec.Pass || spec.New == nil) {
			t.Errorf("%s: %+v", tt.text, spec)
		}
	}
}

// record returns a version of record i.
func record(i int, v change.Version) sink.State {
	s := sink.State{Namespace: "shop", Version: v}
	binary.BigEndian.PutUint64(s.Digest[:], uint64(i))
	return s
}

func version(lut int64) change.Version { return change.Version{LUT: lut, Generation: 1} }

// read returns the version that m has of a record.
func read(m sink.Fence, s sink.State) change.Version {
	states := []sink.State{s}
	m.Read(context.Background(), states)
	return states[0].Version
}

// Memory keeps the newest version of each record, as a map would.
func TestMemory_keepsTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := fence.NewMemory(1 << 16)
		type key struct {
			namespace string
			digest    change.Digest
		}
		model := map[key]*sink.State{}
		for range rapid.IntRange(0, 50).Draw(t, "writes") {
			s := record(rapid.IntRange(0, 3).Draw(t, "record"), change.Version{
				LUT:        rapid.SampledFrom([]int64{1, 2, 3, change.EndOfTime}).Draw(t, "lut"),
				Generation: rapid.SampledFrom([]uint32{0, 1, 2, 32769, 65535}).Draw(t, "generation"),
				Op:         change.Op(rapid.IntRange(0, 2).Draw(t, "op")),
			})
			s.Namespace = rapid.SampledFrom([]string{"shop", "bank", ""}).Draw(t, "namespace")
			k := key{s.Namespace, s.Digest}
			if known := model[k]; known == nil || known.IsBefore(s.Version) {
				model[k] = &s
			}
			if verdicts := m.Write(context.Background(), []sink.State{s}); verdicts != nil {
				t.Fatal(verdicts)
			}
			if got := read(m, s); got != model[k].Version {
				t.Fatalf("%+v, want %+v", got, model[k].Version)
			}
		}
		for _, s := range model {
			if got := read(m, *s); got != s.Version {
				t.Errorf("%+v, want %+v", got, s.Version)
			}
		}
	})
}

// An update is kept with the version that it is based on.
func TestMemory_keepsTheBase(t *testing.T) {
	m := fence.NewMemory(1 << 16)
	update, other := record(1, version(5)), record(1, version(6))
	update.Partial, update.Base = true, change.Version{LUT: 4, Generation: 65535, Op: change.Delete}
	for _, want := range []sink.State{update, other} {
		m.Write(t.Context(), []sink.State{want})
		got := []sink.State{{Namespace: want.Namespace, Digest: want.Digest, Partial: !want.Partial, Base: version(9)}}
		if m.Read(t.Context(), got); got[0] != want {
			t.Errorf("%+v, want %+v", got[0], want)
		}
	}
}

// What was recorded first is forgotten first.
func TestMemory_forgetsTheOldest(t *testing.T) {
	m := fence.NewMemory(1) // one bucket
	write := func(i int, lut int64) { m.Write(t.Context(), []sink.State{record(i, version(lut))}) }
	for i := range 8 {
		write(i, 1)
	}
	write(0, 2) // now record 1 is the oldest
	write(2, 1) // a duplicate does not count
	write(8, 1)
	write(9, 1)
	for i, want := range []int64{2, 0, 0, 1, 1, 1, 1, 1, 1, 1} {
		if got := read(m, record(i, change.Version{})); got.LUT != want {
			t.Errorf("record %d: %+v, want %d", i, got, want)
		}
	}
}

// Memory takes no more than its size, and a record at most 64 bytes of it: when it is full, the
// last records that would take 64 bytes each are still there, but for a few.
func TestMemory_size(t *testing.T) {
	const size = 4 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := fence.NewMemory(size)
	const records = 4 * size / int(fence.EntrySize)
	states := make([]sink.State, 0, 1024)
	for i := range records {
		if states = append(states, record(i, version(1))); len(states) == cap(states) {
			m.Write(t.Context(), states)
			states = states[:0]
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > size+256<<10 {
		t.Errorf("%d bytes, want at most %d", used, size)
	}
	all, recent := 0, 0
	for i := range records {
		if read(m, record(i, change.Version{})).LUT != 0 {
			if all++; i >= records-size/64 {
				recent++
			}
		}
	}
	t.Logf("%.1f bytes for a record; of the last %d, %d are there", float64(size)/float64(all), size/64, recent)
	if all != size/(8*int(fence.EntrySize))*8 || recent < size/64*94/100 {
		t.Errorf("%d records, %d of the last %d", all, recent, size/64)
	}
	runtime.KeepAlive(m)
}

// Names of namespaces that senders choose do not fill the memory.
func TestMemory_manyNamespaces(t *testing.T) {
	m := fence.NewMemory(1 << 20)
	known := 0
	for i := range 1000 {
		s := record(1, version(1))
		s.Namespace = fmt.Sprint("namespace", i)
		m.Write(t.Context(), []sink.State{s})
		if read(m, s) == s.Version {
			known++
		}
	}
	if known != 256 {
		t.Errorf("%d namespaces are known, want 256", known)
	}
	long := record(1, version(1))
	long.Namespace = strings.Repeat("n", 32)
	if m = fence.NewMemory(1 << 20); m.Write(t.Context(), []sink.State{long}) != nil || read(m, long) != (change.Version{}) {
		t.Error("a namespace that Aerospike does not have is known")
	}
}

// The name of a namespace may be overwritten once Write has returned.
func TestMemory_namespaceIsCopied(t *testing.T) {
	m := fence.NewMemory(1 << 20)
	buffer := []byte("shop")
	s := record(1, version(1))
	s.Namespace = unsafe.String(&buffer[0], len(buffer))
	m.Write(t.Context(), []sink.State{s})
	copy(buffer, "bank")
	if s.Namespace = "shop"; read(m, s) != s.Version {
		t.Error("the name of the namespace was not copied")
	}
}

func TestMemory_concurrentUse(t *testing.T) {
	m := fence.NewMemory(1 << 16)
	var using sync.WaitGroup
	var last atomic.Int64
	for range 4 {
		using.Go(func() {
			for range 2000 {
				s := record(int(last.Load()%100), version(last.Add(1)))
				m.Write(t.Context(), []sink.State{s})
				if got := read(m, s); got.LUT < s.Version.LUT {
					t.Errorf("%+v after %+v was recorded", got, s.Version)
					return
				}
			}
		})
	}
	using.Wait()
}

// benchStates returns the states of a batch.
func benchStates(n int) []sink.State {
	states := make([]sink.State, n)
	for i := range states {
		states[i] = record(i*7919, version(1))
	}
	return states
}

func TestMemory_allocations(t *testing.T) {
	m, states := fence.NewMemory(1<<20), benchStates(100)
	m.Write(t.Context(), states)
	if n := testing.AllocsPerRun(100, func() {
		m.Read(t.Context(), states)
		for i := range states {
			states[i].Version.LUT++
		}
		m.Write(t.Context(), states)
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkMemory measures a read and a write of each record, of ten times more records than
// fit into the memory.
func BenchmarkMemory(b *testing.B) {
	m, states := fence.NewMemory(64<<20), benchStates(500)
	next := 0
	for b.Loop() {
		for i := range states {
			states[i] = record(next%(20<<20), version(int64(next)))
			next += 7919
		}
		m.Read(b.Context(), states)
		for i := range states {
			states[i].Version = version(int64(next))
		}
		m.Write(b.Context(), states)
	}
	b.ReportMetric(float64(b.N*len(states))/b.Elapsed().Seconds(), "records/s")
}
