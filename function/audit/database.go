package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// database reads metadata of records, and never bins.
type database struct {
	client    *aerospike.Client
	namespace string
	set       string          // "" is all
	ignored   map[string]bool // sets
	window    window
	limit     *rate.Limiter // of records that are scanned or read again; its burst is step
	step      int           // records of a batch
	timeout   time.Duration // of a batch
}

// A record is read again in a batch with others, and several batches at once: what took least
// time with a server on the same machine.
const (
	batchRecords = 1000
	batches      = 4
)

// With a rate, records are taken in steps: so many a second.
const stepsPerSecond = 20

// openDatabase connects to a cluster. The caller closes the client.
func openDatabase(ctx context.Context, o *Options, w window) (*database, error) {
	client, err := o.Against.Dial(ctx)
	if err != nil {
		return nil, err
	}
	d := &database{
		client: client, namespace: o.Against.Namespace, set: o.Against.Set, ignored: map[string]bool{xdr.MonitorSet: true},
		window: w, step: batchRecords, timeout: o.Against.Timeout,
	}
	if o.Rate > 0 {
		d.step = int(max(1, min(o.Rate/stepsPerSecond, batchRecords)))
		d.limit = rate.NewLimiter(rate.Limit(o.Rate), d.step)
	}
	for _, set := range o.Ignore {
		d.ignored[set] = true
	}
	if err := client.CheckNamespace(ctx, d.namespace); err != nil {
		client.Close()
		return nil, err
	}
	return d, nil
}

// scan reads the metadata of the records in the partitions first to end-1 that changed in the
// window.
func (d *database) scan(ctx context.Context, first, end int) (*scan[Record], error) {
	policy := as.NewScanPolicy()
	policy.IncludeBinData = false
	policy.FilterExpression = d.window.filter()
	if d.limit != nil {
		policy.RecordsPerSecond = max(1, int(min(float64(d.limit.Limit()), math.MaxInt32))/len(d.client.GetNodes())) // of each node, for each scan
	}
	s := newScan(first, end, func(r *Record) change.Digest { return r.Digest })
	names := map[string]string{} // one string for each set
	n := 0
	err := scanPartitions(ctx, d.client, policy, d.namespace, d.set, nil, s.first, s.end, func(r *as.Record) error {
		set, ok := names[r.Key.SetName()]
		if !ok {
			set = r.Key.SetName()
			names[set] = set
		}
		if !d.ignored[set] {
			s.add(Record{Digest: change.Digest(r.Key.Digest()), Set: set, Generation: r.Generation, Expiry: voidTime(r.Expiration)})
		}
		if n++; n%d.step != 0 {
			return nil
		}
		return d.wait(ctx, d.step)
	})
	if err == nil {
		err = d.wait(ctx, n%d.step)
	}
	if err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

// filter returns the expression that selects the records of the window. The server counts
// last update times in nanoseconds, in steps of a millisecond.
func (w *window) filter() *as.Expression {
	upTo := as.ExpLessEq(as.ExpLastUpdate(), as.ExpIntVal(w.watermark*int64(time.Millisecond)))
	if w.since == 0 {
		return upTo
	}
	return as.ExpAnd(upTo, as.ExpGreaterEq(as.ExpLastUpdate(), as.ExpIntVal(w.since*int64(time.Millisecond))))
}

// wait waits until n more records may be taken, or ctx is done.
func (d *database) wait(ctx context.Context, n int) error {
	if d.limit == nil {
		return ctx.Err()
	}
	return d.limit.WaitN(ctx, n)
}

// voidTime returns the void time of a record in Unix seconds. The client has made a TTL of
// it, by the clock of this machine.
func voidTime(ttl uint32) int64 {
	if ttl == math.MaxUint32 {
		return 0
	}
	return time.Now().Unix() + int64(ttl)
}

// read reads the records of pairs again, with their LUT. Those that are gone are nil.
func (d *database) read(ctx context.Context, pairs []pair) ([]*Record, error) {
	records := make([]*Record, len(pairs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batches)
	for first := 0; first < len(pairs); first += d.step {
		end := min(first+d.step, len(pairs))
		group.Go(func() error {
			if err := d.wait(ctx, end-first); err != nil {
				return err
			}
			if err := d.readBatch(pairs[first:end], records[first:end]); err != nil {
				return fmt.Errorf("read the metadata of %s again: %w", plural.Of(end-first, "record"), err)
			}
			return nil
		})
	}
	return records, group.Wait()
}

// readBatch reads the records of pairs in one batch.
func (d *database) readBatch(pairs []pair, records []*Record) error {
	const bin = "u"
	policy := as.NewBatchPolicy()
	policy.TotalTimeout, policy.SocketTimeout = d.timeout, d.timeout
	lut := as.ExpReadOp(bin, as.ExpLastUpdate(), as.ExpReadFlagDefault)
	reads := make([]as.BatchRecordIfc, len(pairs))
	for i := range pairs {
		digest := pairs[i].digest()
		key, err := as.NewKeyWithDigest(d.namespace, pairs[i].set(), nil, digest[:])
		if err != nil {
			return aerospike.Error(err)
		}
		reads[i] = as.NewBatchReadOps(nil, key, lut)
	}
	failed := d.client.BatchOperate(policy, reads)
	for i := range pairs {
		switch row := reads[i].BatchRec(); {
		case row.ResultCode == types.OK:
			nanoseconds, ok := row.Record.Bins[bin].(int)
			if !ok {
				return change.Permanent(errors.New("the server does not say when a record was updated; an audit needs release 6.0 or later"))
			}
			records[i] = &Record{
				Digest: pairs[i].digest(), Set: pairs[i].set(), Generation: row.Record.Generation,
				Expiry: voidTime(row.Record.Expiration), LUT: int64(nanoseconds) / int64(time.Millisecond),
			}
		case row.ResultCode == types.KEY_NOT_FOUND_ERROR:
		case row.Err != nil:
			return refusal(row.Err)
		case failed != nil:
			return refusal(failed)
		default:
			return fmt.Errorf("code %d, %s", int(row.ResultCode), types.ResultCodeToString(row.ResultCode))
		}
	}
	return nil
}
