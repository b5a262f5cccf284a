// Package audit compares an archive with the database it came from: whether it has the newest
// version of every record, and no record that the database does not have. What comes in is
// the newest state of each record in the archive, and the metadata of each record in the
// database; what goes out are findings, a summary, and what repairs them.
//
//  1. The watermark is set: now, less a margin. What changes later is under way, and not
//     compared.
//  2. The newest states of the archive are sorted by partition and digest.
//  3. The database is scanned, a range of partitions after the other, for records that
//     changed up to the watermark. A scan has digest, generation and expiry, no bins.
//  4. Both are merged. A record that differs is read again, now with its last update time,
//     and is a suspect if it still differs.
//  5. When the last deletes have had the margin to arrive, the objects that the archive has
//     received since step 2 are read. A suspect that they explain was under way. The others
//     are findings.
//
// Memory holds the records of a range; suspects wait in a file. A checkpoint after each range
// lets another audit continue, which begins with steps 2 and 3.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/retry"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// Options says what to compare, and how.
type Options struct {
	// From is where the archive is: the URL of a bucket and a prefix, or the path of a directory or file. With
	// Fence it is the text that errors have.
	From string

	// Buckets are the kinds of buckets that From may name.
	Buckets objects.Buckets

	// Fence, unless nil, is the cluster, the namespace and the set with the states of a fence,
	// which are compared instead of an archive. A fence does not know sets, so Against must have
	// none.
	Fence *aerospike.Cluster

	Against aerospike.Cluster // the database; without a set, the whole namespace

	// Parser reads the JSON of archives and the messages of dead letters.
	Parser formats.Parser

	Ignore    []string      // sets that are not compared
	Since     time.Time     // records that changed before are not compared; zero is no bound
	Margin    time.Duration // how long a change may take to reach the archive
	Tolerance time.Duration // by which expiries may differ
	Exact     bool          // read the last update time of every record, not only of suspects

	Rate float64 // most records per second that are scanned or read again; 0 is no limit

	// Checkpoint is the path of the file that keeps the progress; "" keeps none. An audit with
	// the same Options continues from it. Run removes it at the end. Suspects are kept in a
	// file of the same name with .suspects appended, or else in a temporary one.
	Checkpoint string

	// Found is called with each finding, by partition. An error ends the audit.
	Found func(Finding) error

	Out      io.Writer // for progress and errors
	Terminal bool      // Out is a terminal: progress is rewritten on one line
}

// Run compares until everything is done or ctx is. It retries temporary errors without end.
// Findings are no error, and neither is an archive that cannot be read completely: see
// [Summary].
func Run(ctx context.Context, o Options) (Summary, error) {
	checkpoint, err := openCheckpoint(&o, time.Now())
	if err != nil {
		return Summary{}, err
	}
	a := &audit{o: o, checkpoint: checkpoint, window: window{
		watermark: checkpoint.Summary.Watermark.UnixMilli(), tolerance: o.Tolerance, exact: o.Exact,
	}}
	if since := checkpoint.Summary.Since; !since.IsZero() {
		a.window.since = since.UnixMilli()
	}
	err = a.run(ctx)
	switch {
	case ctx.Err() != nil && o.Checkpoint != "":
		err = fmt.Errorf("interrupted; run it with the same arguments to continue from %s", o.Checkpoint)
	case ctx.Err() != nil:
		err = errors.New("interrupted; with -checkpoint FILE the next one can continue from where it stopped")
	}
	return checkpoint.Summary, err
}

// audit is an audit in progress.
type audit struct {
	o          Options
	window     window
	database   *database
	source     source
	checkpoint *checkpoint
	pending    *pending
	progress   *progress
}

func (a *audit) run(ctx context.Context) (err error) {
	if a.database, err = openDatabase(ctx, &a.o, a.window); err != nil {
		return err
	}
	defer a.database.client.Close()
	c := a.checkpoint
	a.progress = newProgress(a.o.Out, a.o.Terminal, c)
	a.database.noteLag(ctx, a.o.Margin, a.progress.Printf)
	if a.source, err = openSource(ctx, &a.o, a.progress); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.source.close()) }()
	if a.pending, err = openPending(c.pendingPath(), c.PendingSize, c.PendingCount); err != nil {
		return err
	}
	done := false
	defer func() { err = errors.Join(err, a.pending.close(done)) }()
	defer a.progress.Start()()
	if err := a.compare(ctx); err != nil {
		return err
	}
	if err := a.confirm(ctx); err != nil {
		return err
	}
	done = true
	return c.remove()
}

// compare compares all partitions that the checkpoint does not have, and adds what differs to
// the suspects. It scans one range ahead of the one that it compares.
func (a *audit) compare(ctx context.Context) error {
	sequence, err := a.source.states(ctx, time.Time{})
	if err != nil {
		return err
	}
	a.checkpoint.Summary.readArchive(a.source.counts())
	states := newStates(sequence)
	defer states.stop()
	if !states.more && states.err == nil {
		return a.emptyError()
	}
	states.skip(a.checkpoint.Next)
	a.progress.scanning()
	scans := make(chan *scan[Record])
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(scans)
		return a.scan(ctx, scans)
	})
	group.Go(func() error {
		for s := range scans {
			if err := a.compareRange(ctx, states, s); err != nil {
				return err
			}
			if err := a.checkpoint.done(s.end, a.pending); err != nil {
				return err
			}
			a.progress.reach(s.end, a.checkpoint.Summary.Database)
		}
		return nil
	})
	return group.Wait()
}

// emptyError returns the error of an archive that has nothing to compare.
func (a *audit) emptyError() error {
	what := fmt.Sprintf("namespace %q", a.database.namespace)
	if set := a.database.set; set != "" {
		what += fmt.Sprintf(", set %q", set)
	}
	return fmt.Errorf("%s has no record of %s; check the folder, the namespace and the set", a.o.From, what)
}

// scan scans the partitions that the checkpoint does not have, a range at a time.
func (a *audit) scan(ctx context.Context, scans chan<- *scan[Record]) error {
	records := rangeRecords
	if a.o.Rate > 0 {
		records = max(1, int(min(rangeRecords, a.o.Rate*rangeSeconds)))
	}
	for first, n := a.checkpoint.Next, 1; first < change.Partitions; {
		end := min(first+n, change.Partitions)
		var s *scan[Record]
		err := retry.Do(ctx, a.progress.Printf, "scan the database", func() (err error) {
			s, err = a.database.scan(ctx, first, end)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case scans <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
		first, n = end, s.nextRange(records)
	}
	return nil
}

// compareRange compares the records of a scan with the states of the same partitions.
func (a *audit) compareRange(ctx context.Context, states *states, s *scan[Record]) error {
	sum := &a.checkpoint.Summary
	sum.Database += int64(s.records)
	now := time.Now().Unix()
	var suspects []pair
	for state, record := range merge(states.before(s.end), s.all(), func(s *State, r *Record) int { return order(s.Digest, r.Digest) }) {
		sum.archived(state)
		v := a.window.look(state, record, now)
		if v != suspect {
			sum.count(v)
			continue
		}
		suspects = append(suspects, pair{State: state, Record: record}.clone())
		if len(suspects) == batches*batchRecords {
			if err := a.resolve(ctx, suspects); err != nil {
				return err
			}
			suspects = suspects[:0]
		}
	}
	if states.err != nil {
		return fmt.Errorf("read the states of the archive: %w", states.err)
	}
	return a.resolve(ctx, suspects)
}

// resolve reads suspects again, and keeps those that still are.
func (a *audit) resolve(ctx context.Context, suspects []pair) error {
	if len(suspects) == 0 {
		return nil
	}
	sum := &a.checkpoint.Summary
	sum.Read += int64(len(suspects))
	var records []*Record
	err := retry.Do(ctx, a.progress.Printf, "read the database", func() (err error) {
		records, err = a.database.read(ctx, suspects)
		return err
	})
	if err != nil {
		return err
	}
	now := time.Now()
	for i, record := range records {
		p := pair{suspects[i].State, record}
		_, v := a.window.judge(p.State, p.Record, now.Unix())
		if v != found {
			sum.count(v)
			continue
		}
		if record == nil {
			a.checkpoint.Absent = now
		}
		if err := a.pending.add(p); err != nil {
			return err
		}
	}
	return nil
}

// confirm passes the suspects on that are findings. A record that is gone may have been
// deleted just before it was looked for, so it waits until the last delete has had the margin
// to arrive.
func (a *audit) confirm(ctx context.Context) error {
	if a.pending.n == 0 {
		return nil
	}
	if wait := time.Until(a.checkpoint.Absent.Add(a.o.Margin)); wait > 0 {
		a.progress.Printf("waiting %s for deletes that are under way", wait.Round(time.Millisecond))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	sequence, err := a.source.states(ctx, a.checkpoint.Begun.Add(-a.o.Margin))
	if err != nil {
		return err
	}
	a.checkpoint.Summary.readArchive(a.source.counts())
	newer := newStates(sequence)
	defer newer.stop()
	var failed error
	pairs := func(yield func(pair) bool) {
		for p, err := range a.pending.all() {
			if failed = err; err != nil || !yield(p) {
				return
			}
		}
	}
	for state, p := range merge(newer.before(change.Partitions), pairs, func(s *State, p *pair) int { return order(s.Digest, p.digest()) }) {
		if p == nil {
			continue
		}
		if err := a.confirmOne(p, state); err != nil {
			return err
		}
	}
	if newer.err != nil {
		return fmt.Errorf("read the states of the archive: %w", newer.err)
	}
	return failed
}

// confirmOne passes p on if it is a finding, also with what the archive has received since,
// nil for nothing.
func (a *audit) confirmOne(p *pair, state *State) error {
	sum := &a.checkpoint.Summary
	if state != nil && (p.State == nil || state.Version.Compare(p.State.Version) > 0) {
		if state.Version.LUT > a.window.watermark {
			sum.count(underWay)
			return nil
		}
		p.State = state
	}
	kind, v := a.window.judge(p.State, p.Record, time.Now().Unix())
	if v != found {
		sum.count(v)
		return nil
	}
	sum.add(kind, p.Record)
	return a.o.Found(newFinding(kind, a.database.namespace, *p))
}
