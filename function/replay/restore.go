package replay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink"
)

// Restore says how a replay restores records.
type Restore struct {
	// Mode is what a write is if the archive does not say it, as in JSON: change.Replace, or
	// change.Update if the source ships only bins that have changed.
	Mode change.Mode

	// OwnTTL says that the sink gives records a TTL of its own. Then those have expired that
	// had at the time to which they are restored; else those that have now.
	OwnTTL bool

	// DeadLetters allows to restore from dead letters alone. They may be older than what
	// the target has.
	DeadLetters bool
}

// restore is a restore in progress.
type restore struct {
	options    Options
	source     objects.Source
	filter     objects.Filter
	progress   *progress
	checkpoint *checkpoint
	storer     storer

	indexed  Summary // what the index counts
	ruledOut int     // objects that the filter rules out
	plan     *newest.Plan
	folder   *newest.Folder
	begun    checkpoint // as an earlier run left it
	puts     *puts

	// Only for done.
	unmarked Summary   // since the last mark
	saved    time.Time // when the checkpoint was written
}

// run restores: it reads all metadata, then the changes that are needed.
func (r *restore) run(ctx context.Context) error {
	if len(r.filter.Namespaces) != 1 {
		return errors.New("a restore needs the name of one namespace, since records of several may have the same digest")
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
	defer r.progress.Start()()
	index, err := r.index(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = index.Close() }() // it was read to its end, or there is another error
	if r.plan, err = index.Plan(); err != nil {
		return err
	}
	if err := r.resume(); err != nil {
		return err
	}
	r.folder = r.plan.Folder()
	defer func() { _ = r.folder.Close() }() // as with the index
	return r.write(ctx)
}

// index reads the metadata of all changes.
func (r *restore) index(ctx context.Context) (*newest.Index, error) {
	index, err := newest.Read(ctx, newest.Options{
		Source: r.source, Filter: r.filter, Wants: r.wants, Parser: r.options.Parser, Mode: r.options.Restore.Mode,
		Printf: r.progress.Printf, Errorf: r.progress.Errorf,
		Progress: func(c newest.Counts) { r.progress.set(summaryOf(c)) },
	})
	if err != nil {
		return nil, err
	}
	c := index.Counts()
	r.indexed, r.ruledOut = summaryOf(c), c.RuledOut
	r.progress.set(r.indexed)
	if c.Changes > 0 && c.Changes == c.DeadLetters && !r.options.Restore.DeadLetters {
		return nil, errors.Join(errors.New("there are only dead letters, which may be older than the records of the target: "+
			"set versions= in the URL of the sink to the set that holds the versions of its records, and only newer ones are written; "+
			"or versions=none, to write all"), index.Close())
	}
	return index, nil
}

// measure counts the objects to read and their bytes.
func (r *restore) measure(ctx context.Context) error {
	for o, err := range r.source.List(ctx) {
		if err != nil {
			return err
		}
		if objects.HoldsChanges(o.Name) && r.filter.MayHold(o.Relative) && r.wants(o) {
			r.progress.total += o.Size
			r.progress.objects++
		}
	}
	return nil
}

// wants reports whether a restore that continues still reads o: objects that were written
// since it began are left out.
func (r *restore) wants(o objects.Object) bool {
	return r.checkpoint.Horizon.IsZero() || !o.Created.After(r.checkpoint.Horizon)
}

// summaryOf returns the counts of an index as a Summary.
func summaryOf(c newest.Counts) Summary {
	return Summary{
		Objects: c.Objects, Bytes: c.Bytes, Changes: c.Changes, LeftOut: c.LeftOut,
		Unreadable: c.Unreadable, NoBytes: c.NoBytes, Damaged: c.Damaged, PassedOver: c.PassedOver,
	}
}

// resume finds out whether the objects are those of the checkpoint. If they are not, the
// restore begins anew.
func (r *restore) resume() error {
	listing := sha256.New()
	var horizon time.Time
	for i := range r.plan.Objects {
		o := &r.plan.Objects[i]
		_, _ = fmt.Fprintf(listing, "%q %q\n", o.Name, o.Version) // a hash never fails
		if o.Created.After(horizon) {
			horizon = o.Created
		}
	}
	c, sum := r.checkpoint, fmt.Sprintf("%x", listing.Sum(nil))
	if c.Listing != "" && c.Listing != sum {
		r.progress.Printf("the archive has changed since the restore began; it begins anew")
	}
	if c.Listing != sum {
		if err := c.forget(sum, horizon); err != nil {
			return err
		}
	} else if c.Object != "" {
		r.progress.Printf("continuing after %s", plural.Of(c.Summary.handled(), "record"))
	}
	r.begun = *c
	return nil
}

// write writes the records: first those that one change has whole, object by object, then
// those that were joined from several.
func (r *restore) write(ctx context.Context) error {
	r.progress.write(r.plan.Records+r.plan.Deletes, r.indexed.plus(r.checkpoint.Summary))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.puts = newPuts(ctx, r, cancel)
	err := r.objects(ctx)
	if err == nil {
		err = r.folded(ctx)
	}
	if failed := r.puts.wait(); failed != nil {
		err = failed // and not what it has made of the rest
	}
	return errors.Join(err, r.checkpoint.write())
}

// objects writes the records that one change has whole, and collects the parts of others.
func (r *restore) objects(ctx context.Context) error {
	for o := range r.readAhead(ctx) {
		for c := range o.chunks {
			if c.err != nil {
				return c.err
			}
			for i := range c.parts {
				p := &c.parts[i]
				if err := r.folder.Add(o.number, p.ordinal, p.line, p.need, &p.change); err != nil {
					return err
				}
			}
			if c.done {
				continue // by an earlier run
			}
			if err := r.puts.add(c.found, mark{object: o.planned, chunk: c.number, whole: c.last}); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.puts.flush()
}

// folded writes the records that are joined from several changes.
func (r *restore) folded(ctx context.Context) error {
	for bucket := r.begun.Folded; bucket < r.folder.Buckets(); bucket++ {
		var f found
		for folded, err := range r.folder.Bucket(bucket) {
			if err != nil {
				return err
			}
			r.classify(&f, folded.Change, r.plan.Objects[folded.Object].Name, folded.Line)
			if len(f.changes) >= objects.ChunkChanges {
				if err := r.puts.add(f, mark{}); err != nil {
					return err
				}
				f = found{}
			}
		}
		if err := r.puts.add(f, mark{bucket: bucket + 1}); err != nil {
			return err
		}
	}
	return r.puts.flush()
}

// classify adds what is to be done with a record whose newest state is c, from that line, to
// f, and counts it.
func (r *restore) classify(f *found, c change.Change, object string, line int) {
	switch {
	case c.Op.IsDelete():
		f.sum.Deletes++
	case r.isExpired(&c):
		f.sum.Expired++
		c.Op, c.Mode, c.Expiry, c.Bins = change.Delete, change.ModeUnknown, 0, nil
	case len(c.Bins) == 0:
		f.sum.NoBins++
		r.progress.Errorf("%s:%d: the newest version of a record was shipped without bins", object, line)
		return
	default:
		f.sum.Records++
		f.sum.RecordBytes += int64(objects.BinBytes(&c))
		if c.Mode == change.Update {
			f.sum.Updated++
		}
	}
	f.add(c, object, line)
}

// isExpired reports whether the record of c has expired.
func (r *restore) isExpired(c *change.Change) bool {
	if c.Expiry <= 0 {
		return false
	}
	at := time.Now()
	if r.options.Restore.OwnTTL && !r.filter.Until.IsZero() {
		at = r.filter.Until
	}
	return c.Expiry <= at.Unix()
}

// done counts a batch and keeps the progress. It is called for one batch after the other, in
// order, when all changes are stored or refused.
func (r *restore) done(f *found, m mark, refused sink.Verdicts) error {
	for i, verdict := range refused {
		if verdict != nil {
			f.sum.Refused++
			r.progress.Errorf("%s:%d: refused: %v", f.places[i].object, f.places[i].line, verdict)
		}
	}
	r.progress.add(f.sum)
	r.unmarked = r.unmarked.plus(f.sum)
	if m == (mark{}) {
		return nil
	}
	c := r.checkpoint
	c.Summary, r.unmarked = c.Summary.plus(r.unmarked), Summary{}
	if m.bucket > 0 {
		c.Folded = m.bucket
	} else {
		c.Object, c.Version, c.Chunk, c.Whole = m.object.Name, m.object.Version, m.chunk, m.whole
	}
	if time.Since(r.saved) < saveInterval {
		return nil
	}
	r.saved = time.Now()
	return c.write()
}

// saveInterval is the time between two writes of the checkpoint of a restore.
const saveInterval = time.Second
