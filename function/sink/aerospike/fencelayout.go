package aerospike

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
)

// maskedBytes is how many of a digest's last bytes are another in a fence. Those before them
// decide about the partition and, for all that can happen, about the order of digests.
const maskedBytes = 8

// FenceDigest returns the digest of the record that holds the states of the records with digest
// d, in the set of a fence; and the other way round. It is another digest because a namespace
// has one record for a digest, whatever its set, and may hold the record itself or a copy of it.
// Both are in the same partition, and sorting either sorts the other.
func FenceDigest(set string, d change.Digest) change.Digest { return newFenceMask(set).digest(d) }

// fenceMask is what is different in the digests of a fence.
type fenceMask [maskedBytes]byte

func newFenceMask(set string) fenceMask {
	sum := sha256.Sum256([]byte("aerosink fence " + set))
	return fenceMask(sum[:])
}

func (m fenceMask) digest(d change.Digest) change.Digest {
	for i := range m {
		d[len(d)-maskedBytes+i] ^= m[i]
	}
	return d
}

// maxBinName is the longest name of a bin that Aerospike takes, in bytes.
const maxBinName = 15

// FenceBin returns the name of the bin that holds the newest version of the record in a namespace of the
// source: the namespace, or the first bytes of its hash if it is too long. Records of several
// namespaces with the same digest have their states in one record.
func FenceBin(namespace string) string {
	if namespace != "" && len(namespace) <= maxBinName && !strings.HasPrefix(namespace, hashPrefix) {
		return namespace
	}
	return hashedBin(namespace)
}

// fenceBaseBin returns the name of the bin that holds the base of the state, while the newest
// version is an update of some bins. It is 0 if no version with all bins is known.
func fenceBaseBin(namespace string) string { return hashedBin("base of " + namespace) }

func hashedBin(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hashPrefix + hex.EncodeToString(sum[:7])
}

// hashPrefix begins the name of a bin that is a hash. Aerospike's namespaces have no such names.
const hashPrefix = "~"

// FenceVersion returns the version that an integer in a bin of a fence stands for, the zero
// Version if it is none.
func FenceVersion(value int64) change.Version {
	if value <= 0 {
		return change.Version{}
	}
	return state(value).version()
}

// fenceLayout is the layout of the states of one namespace.
type fenceLayout struct {
	newest, base string   // bins
	bins         []string // both
	deleteBase   *as.Operation
	filter       *template
}

func newFenceLayout(namespace string) *fenceLayout {
	bin, base := FenceBin(namespace), fenceBaseBin(namespace)
	v, low := as.ExpIntBin(bin), as.ExpIntVal(0xffff)
	return &fenceLayout{newest: bin, base: base, bins: []string{bin, base}, deleteBase: as.PutOp(as.NewBin(base, nil)), filter: newTemplate(3, func(i []*as.Expression) *as.Expression {
		first, last, before := i[0], i[1], i[2]
		later := as.ExpIntAnd(as.ExpNumSub(before, v), low) // by how many generations, less one
		return as.ExpOr(
			as.ExpNot(as.ExpBinExists(bin)),
			as.ExpLess(v, first),
			as.ExpAnd(
				as.ExpLessEq(v, last),
				as.ExpOr(
					as.ExpEq(as.ExpIntAnd(v, low), as.ExpIntVal(0)), // its generation is unknown
					as.ExpLess(later, as.ExpIntVal(0x7fff)),
				),
			),
		)
	})}
}

// older returns the filter that is true if there is no state or its version is
// [sink.State.IsBefore] that of s. The server does not ask it if the record is absent.
func (l *fenceLayout) older(s state) *as.Expression {
	first := s / stateLUT * stateLUT
	last := first + stateLUT - 1 // of its millisecond
	if s&0xffff == 0 {
		last = first - 1 // without a generation it is not newer than others of its millisecond
	}
	return l.filter.with(int64(first), int64(last), int64(s-1))
}

// fenceLayouts are the layouts of all namespaces. The zero value is ready to use.
type fenceLayouts struct {
	mu     sync.RWMutex
	layout map[string]*fenceLayout
}

// maxLayouts is how many layouts are kept. A database has at most 32 namespaces.
const maxLayouts = 256

// of returns the layout of a namespace.
func (l *fenceLayouts) of(namespace string) *fenceLayout {
	l.mu.RLock()
	known := l.layout[namespace]
	l.mu.RUnlock()
	if known != nil {
		return known
	}
	known = newFenceLayout(namespace)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.layout == nil || len(l.layout) >= maxLayouts {
		l.layout = map[string]*fenceLayout{}
	}
	l.layout[strings.Clone(namespace)] = known
	return known
}
