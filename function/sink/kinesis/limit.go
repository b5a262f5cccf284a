package kinesis

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// limitAge is for how long the limit of a stream is taken for true. It may be raised while a
// sink is open, and a record that is over it becomes a dead letter.
const limitAge = time.Minute

// recordLimit knows how large a record of the stream may be. It asks when that is needed first,
// since most streams never get a record of more than 1 MiB, and a new instance of a function
// should not have to wait for it.
type recordLimit struct {
	describe func(context.Context) (*types.StreamDescriptionSummary, error)
	turn     chan struct{} // has a value unless someone asks, or reads what follows
	bytes    int
	asked    time.Time
}

func newRecordLimit(describe func(context.Context) (*types.StreamDescriptionSummary, error)) *recordLimit {
	l := &recordLimit{describe: describe, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// get returns the limit, in bytes with the partition key. If it is not known, because asking is
// not permitted or fails, it is the most that any stream allows: Kinesis then refuses what is
// too large.
func (l *recordLimit) get(ctx context.Context) int {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return maxRecordBytes
	}
	defer func() { l.turn <- struct{}{} }()
	if now := time.Now(); l.asked.IsZero() || now.Sub(l.asked) > limitAge {
		l.bytes, l.asked = l.ask(ctx), now
	}
	return l.bytes
}

func (l *recordLimit) ask(ctx context.Context) int {
	summary, err := l.describe(ctx)
	switch {
	case err != nil:
		return maxRecordBytes
	case summary.MaxRecordSizeInKiB == nil:
		return minRecordLimit
	}
	return int(*summary.MaxRecordSizeInKiB) << 10
}
