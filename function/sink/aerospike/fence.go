package aerospike

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// parseFence reads the parameters of mode=fence.
func parseFence(c config, q *sink.Query) sink.Spec {
	c.loop = q.Word("loop", "refuse", "refuse", "allow") == "allow"
	pass := q.Word("on-unavailable", "retry", "retry", "pass") == "pass"
	timeout := q.Duration("timeout", time.Second, 10*time.Millisecond, time.Minute)
	if c.ttl = parseTTL(q, "ttl", "never"); c.ttl.kind != ttlFixed {
		q.Fail("invalid ttl: a fence takes default, never, or whole seconds up to ten years such as 720h")
	}
	if c.cluster.Set == "" {
		q.Fail("a fence needs a set of its own: want aerospike://HOST:PORT/NAMESPACE/SET?mode=fence")
	}
	return sink.Spec{Fence: &sink.FenceSpec{
		Pass: pass,
		New: func(ctx context.Context) (sink.Fence, error) {
			f := &fence{config: c, pass: pass, timeout: timeout, mask: newFenceMask(c.cluster.Set), dialing: make(chan struct{}, 1)}
			return f, f.open(ctx)
		},
		Probe: c.probe,
	}}
}

// fence is a [sink.Fence] in Aerospike. Where the state of a record is, [FenceDigest] and
// [FenceBin] say; it is a [state]. If its version is an update, a second bin has the base.
//
// A state is written in one operation of the server, with a filter that is true only if the
// stored one is older. So states only move forward, whoever writes them. A write that may have
// been carried out can be repeated: if the filter is false then, the stored state is this one or
// a newer one, and nothing more was asked for. The base is written with the newest version. If
// another instance wrote after the state was read, it may be an older one than is known; then
// some change is published once more, and none is lost.
type fence struct {
	config
	pass    bool
	timeout time.Duration // for the states of a batch, once to read and once to write them
	mask    fenceMask
	layouts fenceLayouts

	client  atomic.Pointer[Client] // nil while there is no connection yet
	dialing chan struct{}          // has an element while one of the callers connects
	failure error                  // of the last attempt; for the caller that connects
	next    time.Time              // when to try again; also
}

const (
	// fenceBatch is the largest batch. Larger ones are not faster.
	fenceBatch = 500

	// redialInterval is how long to wait after an attempt to connect.
	redialInterval = time.Second
)

// open connects. If the fence may be passed, that the cluster cannot be reached is no error:
// the batches try again.
func (f *fence) open(ctx context.Context) error {
	client, err := f.cluster.Dial(ctx)
	switch {
	case err == nil:
		return f.use(ctx, client)
	case f.pass:
		return nil
	}
	return err
}

// use makes client the fence's, once it has checked the cluster.
func (f *fence) use(ctx context.Context, client *Client) error {
	if err := f.check(ctx, client); err != nil {
		client.Close()
		return err
	}
	f.client.Store(client)
	return nil
}

// errDialing is the error while another caller connects.
var errDialing = errors.New("not connected to Aerospike yet")

// connected returns the client. Without one, one caller at a time tries to connect, and not too
// often; the others get an error.
func (f *fence) connected(ctx context.Context) (*Client, error) {
	if client := f.client.Load(); client != nil {
		return client, nil
	}
	select {
	case f.dialing <- struct{}{}:
		defer func() { <-f.dialing }()
	default:
		return nil, errDialing
	}
	if client := f.client.Load(); client != nil {
		return client, nil
	}
	if time.Now().Before(f.next) {
		return nil, f.failure
	}
	client, err := f.cluster.Dial(ctx)
	if err == nil {
		err = f.use(ctx, client)
	}
	f.failure, f.next = err, time.Now().Add(redialInterval)
	return f.client.Load(), err
}

// Read implements [sink.Fence].
func (f *fence) Read(ctx context.Context, states []sink.State) sink.Verdicts {
	return f.carryOut(ctx, states, fenceStep{
		command: func(s *sink.State, l *fenceLayout) as.BatchRecordIfc {
			s.Version, s.Partial, s.Base = change.Version{}, false, change.Version{}
			return as.NewBatchRead(nil, f.key(s), l.bins)
		},
		settle: func(s *sink.State, l *fenceLayout, row *as.BatchRecord, err error) error {
			switch {
			case err == nil:
				return l.read(s, row.Record)
			case code(err) == types.KEY_NOT_FOUND_ERROR:
				return nil
			}
			return err
		},
	})
}

// Write implements [sink.Fence]. States that cannot be expressed, after the year 4199, are not
// recorded.
func (f *fence) Write(ctx context.Context, states []sink.State) sink.Verdicts {
	return f.carryOut(ctx, states, fenceStep{
		command: func(s *sink.State, l *fenceLayout) as.BatchRecordIfc {
			v, err := stateOf(s.Version)
			if err != nil {
				return nil
			}
			policy := &as.BatchWritePolicy{FilterExpression: l.older(v), Expiration: f.ttl.fixed}
			return as.NewBatchWrite(policy, f.key(s), as.PutOp(as.NewBin(l.newest, int64(v))), l.putBase(s))
		},
		settle: func(_ *sink.State, _ *fenceLayout, _ *as.BatchRecord, err error) error {
			if code(err) == types.FILTERED_OUT {
				return nil
			}
			return err
		},
	})
}

// Close implements [sink.Fence].
func (f *fence) Close() error {
	if client := f.client.Load(); client != nil {
		client.Close()
	}
	return nil
}

// key returns the key of the record with the state.
func (f *fence) key(s *sink.State) *as.Key {
	return f.cluster.key(f.cluster.Set, f.mask.digest(s.Digest), nil)
}

// fenceStep reads or writes states.
type fenceStep struct {
	// command returns the command for a state, nil if there is nothing to do.
	command func(s *sink.State, l *fenceLayout) as.BatchRecordIfc

	// settle returns the verdict, from the result of the command.
	settle func(s *sink.State, l *fenceLayout, row *as.BatchRecord, err error) error
}

// carryOut takes a step for all states, in batches one after the other.
func (f *fence) carryOut(ctx context.Context, states []sink.State, step fenceStep) (verdicts sink.Verdicts) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	client, err := f.connected(ctx)
	if err != nil {
		return sink.All(len(states), err)
	}
	indexes := make([]int, 0, min(len(states), fenceBatch))
	for first := 0; first < len(states); first += len(indexes) {
		indexes = indexes[:0]
		for i := first; i < len(states) && len(indexes) < fenceBatch; i++ {
			indexes = append(indexes, i)
		}
		f.carryOutBatch(ctx, client, states, indexes, step, &verdicts)
	}
	return verdicts
}

// carryOutBatch takes a step for the states with these indexes. What fails it tries again a few
// times, unless that cannot help.
func (f *fence) carryOutBatch(ctx context.Context, client *Client, states []sink.State, indexes []int, step fenceStep, verdicts *sink.Verdicts) {
	commands := make([]as.BatchRecordIfc, 0, len(indexes))
	rows := make([]int, 0, len(indexes)) // the states of the commands
	left := indexes
	for attempt := 1; ; attempt++ {
		commands, rows = commands[:0], rows[:0]
		for _, i := range left {
			if c := step.command(&states[i], f.layouts.of(states[i].Namespace)); c != nil {
				commands, rows = append(commands, c), append(rows, i)
			}
		}
		errs := client.Batch(ctx, commands)
		left = nil
		for n, i := range rows {
			err := step.settle(&states[i], f.layouts.of(states[i].Namespace), commands[n].BatchRec(), errAt(errs, n))
			verdicts.Set(len(states), i, err)
			if err != nil && !change.IsPermanent(err) {
				left = append(left, i)
			}
		}
		if len(left) == 0 || attempt == attempts || pause(ctx, attempt) != nil {
			return
		}
		for _, i := range left {
			(*verdicts)[i] = nil
		}
	}
}

// putBase returns the operation that writes the base of a state, or deletes the bin.
func (l *fenceLayout) putBase(s *sink.State) *as.Operation {
	if !s.Partial {
		return l.deleteBase
	}
	v, err := stateOf(s.Base)
	if err != nil {
		v = 0 // no version with all bins is known
	}
	return as.PutOp(as.NewBin(l.base, int64(v)))
}

// read sets the versions of a state to those in its record. They are zero if the bin is missing:
// the record may have states of other namespaces.
func (l *fenceLayout) read(s *sink.State, r *as.Record) error {
	newest, err := l.integer(r, l.newest)
	if err != nil || newest == 0 {
		return err
	}
	base, err := l.integer(r, l.base)
	if err != nil {
		return err
	}
	s.Version = newest.version()
	if _, s.Partial = r.Bins[l.base]; base != 0 {
		s.Base = base.version()
	}
	return nil
}

// integer returns the state in a bin, 0 if the bin is missing.
func (l *fenceLayout) integer(r *as.Record, bin string) (state, error) {
	switch v := r.Bins[bin].(type) {
	case nil:
		return 0, nil
	case int:
		if v > 0 || v == 0 && bin == l.base {
			return state(v), nil
		}
	}
	return 0, change.Permanent(fmt.Errorf("the bin %s in set %s is not a state of a fence; name a set that holds nothing else", bin, r.Key.SetName()))
}
