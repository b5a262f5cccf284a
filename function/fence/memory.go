// Package fence has the fence in memory: it remembers the newest published version of each
// record within a number of bytes, and forgets those that were recorded first.
//
//  1. [Parse] reads FENCE, such as memory?size=64MiB.
//  2. [Memory.Read] looks up the states of a batch, [Memory.Write] records them.
//
// The memory is one table of buckets of 8 entries of 48 bytes. A hash of the record chooses its
// bucket, which holds the last 8 records that were recorded in it, the latest first.
package fence

import (
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
	"net/url"
	"strings"
	"sync"
	"unsafe"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

const (
	defaultSize = 32 << 20
	minSize     = 64 << 10
	maxSize     = 64 << 30
)

// Parse reads the URL of a fence in memory: memory or memory?size=64MiB.
func Parse(text string) (sink.FenceSpec, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path != "memory" || u.Fragment != "" {
		return sink.FenceSpec{}, errors.New("want memory or memory?size=64MiB; a fence in Aerospike is one of SINKS, with mode=fence")
	}
	q := sink.NewQuery(u)
	size := q.Size("size", defaultSize, minSize, maxSize)
	return sink.FenceSpec{URL: text, New: func(context.Context) (sink.Fence, error) { return NewMemory(size), nil }}, q.End()
}

// Memory is a fence in memory. It forgets everything when the process ends, and knows nothing
// of what other processes published.
type Memory struct {
	seed    maphash.Seed
	buckets []bucket
	locks   [256]sync.Mutex // bucket i has lock i % 256

	mu         sync.RWMutex
	namespaces map[string]uint16 // from 1
}

// A database has at most 32 namespaces, with names of at most 31 bytes. The records of further
// or longer ones are not remembered, so that senders cannot fill the memory with names.
const (
	maxNamespaces    = 256
	maxNamespaceName = 31
)

// bucket holds the records that have the same place in the table, the last recorded first.
type bucket [8]entry

// entry is the state of a record.
type entry struct {
	digest    change.Digest
	namespace uint16 // 0 if the entry is empty
	partial   bool

	// Of the newest published version and of the base: the generation, and the last update
	// time, shifted by opBits, with the operation.
	generation, baseGeneration uint16
	version, base              uint64
}

// EntrySize is how many bytes the state of a record takes.
const EntrySize = int64(unsafe.Sizeof(entry{}))

const (
	opBits = 2
	opMask = 1<<opBits - 1
)

// NewMemory returns an empty fence that holds as many records as fit into size bytes, which
// take EntrySize bytes each. The operating system provides the memory as it is used.
func NewMemory(size int64) *Memory {
	return &Memory{
		seed:       maphash.MakeSeed(),
		buckets:    make([]bucket, max(1, size/int64(unsafe.Sizeof(bucket{})))),
		namespaces: map[string]uint16{},
	}
}

// Read implements [sink.Fence]. It never fails.
func (m *Memory) Read(_ context.Context, states []sink.State) sink.Verdicts {
	var namespaces lastNamespace
	for i := range states {
		s := &states[i]
		s.Version, s.Partial, s.Base = change.Version{}, false, change.Version{}
		namespace := namespaces.number(m, s.Namespace, false)
		if namespace == 0 {
			continue
		}
		b, lock := m.bucket(namespace, &s.Digest)
		lock.Lock()
		if at := b.find(namespace, &s.Digest); at >= 0 {
			b[at].unpack(s)
		}
		lock.Unlock()
	}
	return nil
}

// Write implements [sink.Fence]. It never fails.
func (m *Memory) Write(_ context.Context, states []sink.State) sink.Verdicts {
	var namespaces lastNamespace
	for i := range states {
		s := &states[i]
		namespace := namespaces.number(m, s.Namespace, true)
		if namespace == 0 {
			continue
		}
		b, lock := m.bucket(namespace, &s.Digest)
		lock.Lock()
		b.record(namespace, s)
		lock.Unlock()
	}
	return nil
}

// Close implements [sink.Fence].
func (m *Memory) Close() error { return nil }

// bucket returns the bucket of a record, and its lock.
func (m *Memory) bucket(namespace uint16, d *change.Digest) (*bucket, *sync.Mutex) {
	hash := maphash.Bytes(m.seed, d[:]) ^ uint64(namespace)*0x9e3779b97f4a7c15 // spreads the namespaces over all bits
	at, _ := bits.Mul64(hash, uint64(len(m.buckets)))
	return &m.buckets[at], &m.locks[at%uint64(len(m.locks))]
}

// find returns the place of a record in the bucket, -1 if it is not there.
func (b *bucket) find(namespace uint16, d *change.Digest) int {
	for i := range b {
		if b[i].namespace == namespace && b[i].digest == *d {
			return i
		}
	}
	return -1
}

// record puts the state of a record first, unless a newer one is recorded. If the bucket is
// full, its last record is forgotten.
func (b *bucket) record(namespace uint16, s *sink.State) {
	at := b.find(namespace, &s.Digest)
	if at < 0 {
		at = len(b) - 1
	} else if recorded := (sink.State{Version: version(b[at].version, b[at].generation)}); !recorded.IsBefore(s.Version) {
		return
	}
	copy(b[1:at+1], b[:at])
	b[0] = entry{
		digest: s.Digest, namespace: namespace, partial: s.Partial,
		generation: uint16(s.Version.Generation), version: pack(s.Version), baseGeneration: uint16(s.Base.Generation), base: pack(s.Base),
	}
}

// unpack sets the versions of s to those of the entry.
func (e *entry) unpack(s *sink.State) {
	s.Version, s.Partial, s.Base = version(e.version, e.generation), e.partial, version(e.base, e.baseGeneration)
}

// pack returns the last update time and the operation of a version.
func pack(v change.Version) uint64 { return uint64(v.LUT)<<opBits | uint64(v.Op) }

// version returns the version of what pack returned, and a generation.
func version(packed uint64, generation uint16) change.Version {
	return change.Version{LUT: int64(packed >> opBits), Generation: uint32(generation), Op: change.Op(packed & opMask)}
}

// number returns the number of a namespace. If it has none it gets one if add is set and there
// are not too many; otherwise its number is 0.
func (m *Memory) number(namespace string, add bool) uint16 {
	m.mu.RLock()
	n := m.namespaces[namespace]
	m.mu.RUnlock()
	if n != 0 || !add || len(namespace) > maxNamespaceName {
		return n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n = m.namespaces[namespace]
	if n == 0 && len(m.namespaces) < maxNamespaces {
		n = uint16(len(m.namespaces) + 1)
		m.namespaces[strings.Clone(namespace)] = n
	}
	return n
}

// lastNamespace keeps the number of a namespace, because most batches have only one.
type lastNamespace struct {
	name   string
	n      uint16
	looked bool
}

func (l *lastNamespace) number(m *Memory, namespace string, add bool) uint16 {
	if !l.looked || l.name != namespace {
		*l = lastNamespace{namespace, m.number(namespace, add), true}
	}
	return l.n
}
