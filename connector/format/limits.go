package format

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// Limits bound what Parse makes of a body. A zero one is the default.
//
// A body that is over Inflated or Changes cannot be read. Over Change or Depth is
// one change, as long as its neighbours can be told from it.
type Limits struct {
	Inflated int // bytes that compressed parts of the body inflate to, all together, and the names in Avro's schema; 64 MiB
	Changes  int // in a body; as many as it has room for
	Change   int // bytes of one change, inflated where it is compressed; no limit
	Depth    int // of lists and maps in each other; change.MaxDepth, which is the most
}

// ErrTooLarge is wrapped by the error for a body or a change that is over one of
// the Limits, which the error names. It is permanent.
var ErrTooLarge = errors.New("too large")

// maxInflated is the default of Limits.Inflated.
const maxInflated = 64 << 20

// withDefaults returns l with the default of what is zero.
func (l Limits) withDefaults() Limits {
	return Limits{
		Inflated: cmp.Or(l.Inflated, maxInflated),
		Changes:  cmp.Or(l.Changes, math.MaxInt),
		Change:   cmp.Or(l.Change, math.MaxInt),
		Depth:    min(cmp.Or(l.Depth, change.MaxDepth), change.MaxDepth),
	}
}

// The least that a change takes in each format, in bytes: the digest alone has 20, or
// 28 in Base64.
const (
	smallestJSON = 64 // {"msg":"write","key":["n",null,"…",null]}
	smallestPack = 32 // [1, 2, [["n", nil, …, nil], 0]]
	smallestAvro = 20 // a schema may say all in one byte but the digest
	smallestXDR  = 48 // a message header, and the fields of namespace and digest
)

// mostChanges returns how many changes a body of size bytes can hold. A body of more
// is refused as a whole, for to say of each part of it that it is no change would take
// many times the body's memory.
func (b *batch) mostChanges() int { return 64 + b.size/b.smallest }

// bodyFault is what is wrong with the bytes of a request body, and where.
type bodyFault struct {
	offset int // from the start of the body
	reason error
}

func (f *bodyFault) Error() string { return fmt.Sprintf("byte %d: %v", f.offset, f.reason) }

func (f *bodyFault) Unwrap() error { return f.reason }

// fault is the error of bytes that are no change. The offset counts from the
// start of the request body.
func fault(offset int, detail string, args ...any) error {
	return change.Permanent(&bodyFault{offset, fmt.Errorf(detail, args...)})
}

// tooLarge is the fault of what is over one of the Limits.
func tooLarge(offset int, detail string, args ...any) error {
	return fault(offset, "%w: %w", ErrTooLarge, fmt.Errorf(detail, args...))
}

// faultAt returns the offset that err names, and otherwise when it names none.
func faultAt(err error, otherwise int) int {
	if f := (*bodyFault)(nil); errors.As(err, &f) {
		return f.offset
	}
	return otherwise
}

// OffsetOf returns the offset in the body, in bytes, that an error of Parse names; 0
// where it names none.
func OffsetOf(err error) int { return faultAt(err, 0) }
