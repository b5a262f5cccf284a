package kinesis

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// The limit of a stream is asked for again after a minute, since it may be raised.
func TestRecordLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked int
		var kib int32
		var err error
		l := newRecordLimit(func(context.Context) (*types.StreamDescriptionSummary, error) {
			asked++
			return &types.StreamDescriptionSummary{MaxRecordSizeInKiB: &kib}, err
		})
		want := func(bytes, times int) {
			t.Helper()
			if got := l.get(t.Context()); got != bytes || asked != times {
				t.Errorf("%d after it was asked %d times, want %d and %d", got, asked, bytes, times)
			}
		}
		kib = 1024
		want(1<<20, 1)
		kib = 2048
		want(1<<20, 1)
		time.Sleep(limitAge + time.Second)
		want(2<<20, 2)
		err = errors.New("denied")
		time.Sleep(limitAge + time.Second)
		want(maxRecordBytes, 3)
		want(maxRecordBytes, 3)
	})
}

// A stream of a service that knows no limit has the one that all streams once had.
func TestRecordLimit_none(t *testing.T) {
	l := newRecordLimit(func(context.Context) (*types.StreamDescriptionSummary, error) {
		return &types.StreamDescriptionSummary{}, nil
	})
	if got := l.get(t.Context()); got != minRecordLimit {
		t.Errorf("%d, want %d", got, minRecordLimit)
	}
}

// Who waits for the answer gives up when its time is over.
func TestRecordLimit_noAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newRecordLimit(func(ctx context.Context) (*types.StreamDescriptionSummary, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		began := time.Now()
		first, cancelFirst := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancelFirst()
		go l.get(first)
		synctest.Wait()
		second, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := l.get(second); got != maxRecordBytes || time.Since(began) != time.Second {
			t.Errorf("%d after %s", got, time.Since(began))
		}
	})
}
