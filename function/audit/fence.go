package audit

import (
	"context"
	"fmt"
	"iter"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/retry"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// fence reads the states that a fence has recorded, of what was published last. They have a
// version, but neither set nor expiry.
type fence struct {
	client    *aerospike.Client
	cluster   *aerospike.Cluster // its set is that of the fence
	namespace string             // of the records
	progress  *progress
}

// openFence connects to the cluster of a fence. The caller closes it.
func openFence(ctx context.Context, o *Options, p *progress) (*fence, error) {
	client, err := o.Fence.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := client.CheckNamespace(ctx, o.Fence.Namespace); err != nil {
		client.Close()
		return nil, err
	}
	return &fence{client, o.Fence, o.Against.Namespace, p}, nil
}

// states implements [source].
func (f *fence) states(ctx context.Context, since time.Time) (iter.Seq2[State, error], error) {
	return func(yield func(State, error) bool) {
		for first, n := 0, 1; first < change.Partitions; {
			end := min(first+n, change.Partitions)
			var s *scan[State]
			err := retry.Do(ctx, f.progress.Printf, "scan the states of the fence", func() (err error) {
				s, err = f.scan(ctx, since, first, end)
				return err
			})
			if err != nil {
				yield(State{}, err)
				return
			}
			for state := range s.all() {
				if !yield(state, nil) {
					return
				}
			}
			first, n = end, s.nextRange(rangeRecords)
		}
	}, nil
}

// scan reads the states in the partitions first to end-1 that were recorded since a time.
func (f *fence) scan(ctx context.Context, since time.Time, first, end int) (*scan[State], error) {
	bin := aerospike.FenceBin(f.namespace)
	policy := as.NewScanPolicy()
	policy.FilterExpression = as.ExpBinExists(bin)
	if !since.IsZero() {
		policy.FilterExpression = as.ExpAnd(policy.FilterExpression, as.ExpGreaterEq(as.ExpLastUpdate(), as.ExpIntVal(since.UnixNano())))
	}
	s := newScan(first, end, func(s *State) change.Digest { return s.Digest })
	err := scanPartitions(ctx, f.client, policy, f.cluster.Namespace, f.cluster.Set, []string{bin}, first, end, func(r *as.Record) error {
		value, _ := r.Bins[bin].(int)
		version := aerospike.FenceVersion(int64(value))
		if version == (change.Version{}) {
			return change.Permanent(fmt.Errorf("the bin %s in set %s is not a state of a fence; name the set of one", bin, f.cluster.Set))
		}
		digest := aerospike.FenceDigest(f.cluster.Set, change.Digest(r.Key.Digest()))
		s.add(State{Digest: digest, Version: version, Expiry: change.ExpiryUnknown})
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

// counts implements [source].
func (f *fence) counts() newest.Counts { return newest.Counts{} }

// close implements [source].
func (f *fence) close() error {
	f.client.Close()
	return nil
}
