package deliver

import (
	"math"
	"time"
)

// batchLimit limits how many changes a destination gets in one request, besides the
// maximum of their stream. There is no limit at first. It halves when a request takes the
// destination too long, and grows in steps while requests that reach it succeed. It is
// never below one.
type batchLimit struct {
	now       float64
	most      int       // largest maximum of a stream so far
	decreased time.Time // when it was last halved
}

// batchSteps is how many requests it takes from one change to the maximum of a stream.
// Steps are small, since a request that is too large is lost after a whole call timeout.
const batchSteps = 100

func newBatchLimit() batchLimit { return batchLimit{now: math.MaxInt32} }

// of returns how many changes of s a request may carry.
func (l *batchLimit) of(s *Stream) int {
	l.most = max(l.most, s.MaxRecords)
	return min(s.MaxRecords, int(l.now))
}

// increase follows a successful request of n changes of s.
func (l *batchLimit) increase(s *Stream, n int) {
	if n >= int(l.now) {
		l.now += max(1, float64(s.MaxRecords)/batchSteps)
	}
}

// decrease halves the limit after a request of n changes that was sent at sent and took too
// long. A request of one change says nothing about the size of others. Requests sent before
// the last decrease are ignored.
func (l *batchLimit) decrease(n int, sent, now time.Time) {
	if n > 1 && sent.After(l.decreased) {
		l.now, l.decreased = max(1, min(l.now, float64(l.most))/2), now
	}
}
