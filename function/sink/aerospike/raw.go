package aerospike

import (
	"context"
	"fmt"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// The bins of a raw notification.
const (
	binOp         = "op"
	binNamespace  = "namespace" // of the source
	binSet        = "set"       // of the source; absent if the record is in none
	binGeneration = "generation"
	binLUT        = "lut"     // Unix milliseconds
	binExpiry     = "expiry"  // Unix seconds; 0 never; absent if unknown
	binFormat     = "format"  // of data
	binData       = "data"    // the notification as it was received
	binVersion    = "version" // a state, which the filter of the next write compares
)

// raw is the sink with mode=raw. It stores the newest notification of each record, under the
// digest that the record has at the source.
//
// A notification is written by one command with a filter on the version that is stored, so
// an older one never replaces a newer one, whatever else writes at the same time. If the
// filter refuses it, the sink reads the version: only one that supersedes the notification
// makes it stale.
type raw struct {
	config
	client  *Client
	filter  stateFilter
	metrics *metrics
	batches batches
	limiter *rate.Limiter // nil is unlimited
}

func parseRaw(c config, q *sink.Query) sink.Spec {
	c.parse(q, "default")
	if c.cluster.Set == "" {
		q.Fail("mode=raw needs a set of its own: aerospike://HOST:PORT/NAMESPACE/SET?mode=raw")
	}
	return sink.Spec{New: c.newRaw, Probe: c.probe}
}

func (c *config) newRaw(ctx context.Context) (sink.Sink, error) {
	client, m, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return &raw{
		config: *c, client: client, filter: newStateFilter(binVersion, false), metrics: m,
		batches: newBatches(c.cluster.Connections), limiter: c.limiter(),
	}, nil
}

// Close implements [sink.Sink].
func (s *raw) Close() error {
	s.client.Close()
	return nil
}

// Put implements [sink.Sink].
func (s *raw) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := s.putContext(ctx)
	defer cancel()
	p := newPut(&s.config, b)
	defer s.metrics.count(p)
	p.check(func(c *change.Change) error {
		_, err := stateOf(c.Version())
		return err
	})
	p.run(ctx, s.limiter, s.batches, func(indexes []int) { s.store(ctx, p, indexes) })
	return p.verdicts
}

// store stores notifications of different records, and tries again those that another writer
// was at.
func (s *raw) store(ctx context.Context, p *put, pending []int) {
	defer s.metrics.took(time.Now())
	for attempt := 0; len(pending) > 0; attempt++ {
		if attempt > 0 && !p.pause(ctx, pending, attempt) {
			return
		}
		commands := make([]as.BatchRecordIfc, len(pending))
		for n, i := range pending {
			commands[n] = s.command(&p.changes[i])
		}
		errs := s.client.Batch(ctx, commands)
		var filtered, again []int
		for n, i := range pending {
			switch err := errAt(errs, n); code(err) {
			case types.OK:
				p.done(i, stored)
			case types.FILTERED_OUT:
				filtered = append(filtered, i)
			case types.KEY_BUSY:
				again = append(again, i)
			default:
				p.fail(i, err)
			}
		}
		pending = append(again, s.confirm(ctx, p, filtered)...)
		s.metrics.conflicts.Add(float64(len(pending)))
	}
}

// confirm reads what is stored where the filter refused notifications. It returns those that
// what is stored now does not supersede.
func (s *raw) confirm(ctx context.Context, p *put, filtered []int) (again []int) {
	if len(filtered) == 0 {
		return nil
	}
	states, errs := s.client.readStates(ctx, s.cluster.Set, binVersion, p.changes, filtered)
	for n, i := range filtered {
		switch {
		case errs[n] != nil:
			p.fail(i, errs[n])
		case states[n].version().Supersedes(p.changes[i].Change.Version()):
			p.done(i, stale)
		default:
			again = append(again, i)
		}
	}
	return again
}

// command returns the command that writes a notification.
func (s *raw) command(p *format.Parsed) *as.BatchWrite {
	c := &p.Change
	version, _ := stateOf(c.Version()) // Put has checked it
	policy := &as.BatchWritePolicy{
		FilterExpression: s.filter.of(version), RecordExistsAction: as.REPLACE, CommitLevel: as.COMMIT_ALL, Expiration: s.ttl.of(c, time.Now()),
	}
	ops := []*as.Operation{
		as.PutOp(as.NewBin(binOp, c.Op.String())),
		as.PutOp(as.NewBin(binNamespace, c.Namespace)),
		as.PutOp(as.NewBin(binGeneration, int64(c.Generation))),
		as.PutOp(as.NewBin(binLUT, c.LUT)),
		as.PutOp(as.NewBin(binFormat, p.Format)),
		as.PutOp(as.NewBin(binData, p.Data)),
		as.PutOp(as.NewBin(binVersion, int64(version))),
	}
	if c.Set != "" {
		ops = append(ops, as.PutOp(as.NewBin(binSet, c.Set)))
	}
	if c.Expiry != change.ExpiryUnknown {
		ops = append(ops, as.PutOp(as.NewBin(binExpiry, c.Expiry)))
	}
	return as.NewBatchWrite(policy, s.cluster.key(s.cluster.Set, c.Digest, nil), ops...)
}

// readStates reads the states of changes. A state is 0 if there is none. It is an error if
// the record has no state, because something else has written it.
func (c *Client) readStates(ctx context.Context, set, bin string, changes []format.Parsed, indexes []int) ([]state, []error) {
	keys := make([]*as.Key, len(indexes))
	for n, i := range indexes {
		keys[n] = c.cluster.key(set, changes[i].Change.Digest, nil)
	}
	records, readErrs := c.Read(ctx, keys, as.GetBinOp(bin))
	states, errs := make([]state, len(indexes)), make([]error, len(indexes))
	copy(errs, readErrs)
	for n, r := range records {
		if errs[n] == nil && r != nil {
			states[n], errs[n] = stateIn(r, set, bin)
		}
	}
	return states, errs
}

// stateIn returns the state in a bin of a record.
func stateIn(r *as.Record, set, bin string) (state, error) {
	i, ok := r.Bins[bin].(int)
	if !ok || i <= 0 {
		return 0, change.Permanent(fmt.Errorf("a record of set %s with the digest of the change was written by something else: it has no %s; use a set of its own for this sink", set, bin))
	}
	return state(i), nil
}
