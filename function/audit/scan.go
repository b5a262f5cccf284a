package audit

import (
	"context"
	"fmt"
	"iter"
	"slices"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// scan is what was read of the records in a range of partitions. Servers return the records
// of a partition in order, but those of several partitions in turns, and a record twice while
// the partition moves to another node.
type scan[T any] struct {
	first, end int
	digest     func(*T) change.Digest
	partitions [][]T // from first on
	records    int
}

func newScan[T any](first, end int, digest func(*T) change.Digest) *scan[T] {
	return &scan[T]{first: first, end: end, digest: digest, partitions: make([][]T, end-first)}
}

// add adds a record, unless it is of a partition that was not asked for.
func (s *scan[T]) add(r T) {
	at := s.digest(&r).Partition() - s.first
	if at < 0 || at >= len(s.partitions) {
		return
	}
	s.partitions[at] = append(s.partitions[at], r)
	s.records++
}

// sort sorts the records by [order], and removes those that came twice.
func (s *scan[T]) sort() {
	s.records = 0
	compare := func(a, b T) int { return order(s.digest(&a), s.digest(&b)) }
	for i, records := range s.partitions {
		if !slices.IsSortedFunc(records, compare) {
			slices.SortFunc(records, compare)
		}
		records = slices.CompactFunc(records, func(a, b T) bool { return s.digest(&a) == s.digest(&b) })
		s.partitions[i] = records
		s.records += len(records)
	}
}

// all yields the records, sorted by [order].
func (s *scan[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, records := range s.partitions {
			for _, r := range records {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Partitions are scanned in ranges that have about this many records: each scan takes about
// 20 ms more than its records do, and the records of a range are in memory.
const rangeRecords = 1 << 18

// rangeSeconds is how many seconds a range takes, at most, if there is a rate: a checkpoint is
// written after each.
const rangeSeconds = 10

// A range has at most maxRange partitions, and at most growth times as many as the one before.
const (
	maxRange = 256
	growth   = 8
)

// nextRange returns how many partitions the range after s has: as many as are likely to have
// that many records.
func (s *scan[T]) nextRange(records int) int {
	partitions := s.end - s.first
	if s.records > 0 {
		partitions = min(growth*partitions, partitions*records/s.records)
	} else {
		partitions *= growth
	}
	return max(1, min(partitions, maxRange))
}

// scanQueue is how many records of a scan may wait. The client makes TTLs of their void times
// before that.
const scanQueue = 4096

// scanPartitions calls add with the records in the partitions first to end-1 of a set, which
// is "" for all sets. It ends with an error of add, or when ctx is done.
func scanPartitions(ctx context.Context, client *aerospike.Client, policy *as.ScanPolicy, namespace, set string, bins []string, first, end int, add func(*as.Record) error) error {
	policy.RecordQueueSize = scanQueue
	found, err := client.ScanPartitions(policy, as.NewPartitionFilterByRange(first, end-first), namespace, set, bins...)
	if err != nil {
		return fmt.Errorf("scan partitions %d to %d: %w", first, end-1, refusal(err))
	}
	defer func() { _ = found.Close() }()                         // it only fails if it was closed already
	defer context.AfterFunc(ctx, func() { _ = found.Close() })() // also
	for result := range found.Results() {
		if result.Err != nil {
			return fmt.Errorf("scan partitions %d to %d: %w", first, end-1, refusal(result.Err))
		}
		if err := add(result.Record); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// refusal returns an error of the client. It is permanent if the cluster refuses the user, or
// what is asked: a retry would not help.
func refusal(err as.Error) error {
	wrapped := aerospike.Error(err)
	if err.Matches(types.ROLE_VIOLATION, types.NOT_AUTHENTICATED, types.INVALID_NAMESPACE, types.UNSUPPORTED_FEATURE) {
		return change.Permanent(wrapped)
	}
	return wrapped
}
