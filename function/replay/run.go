package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/retry"
	"github.com/aerosink/aerosink/function/sink"
)

// run is a replay in progress.
type run struct {
	source     objects.Source
	filter     objects.Filter
	decoder    objects.Decoder
	storer     storer
	progress   *progress
	checkpoint *checkpoint
	ruledOut   int // objects with changes of which the filter selects none
}

// all replays all objects, and shows progress meanwhile.
func (r *run) all(ctx context.Context) error {
	if err := r.measure(ctx); err != nil {
		return err
	}
	defer r.progress.Start()()
	return r.objects(ctx)
}

// measure counts the objects to read and their bytes.
func (r *run) measure(ctx context.Context) error {
	for o, err := range r.source.List(ctx) {
		if err != nil {
			return err
		}
		if r.wants(o) {
			r.progress.total += o.Size
			r.progress.objects++
		}
	}
	if c := r.checkpoint; c.Object != "" {
		r.progress.Printf("continuing after chunk %d of %s", c.Chunk, c.Object)
	}
	return nil
}

// wants reports whether o may hold changes that are still to be replayed.
func (r *run) wants(o objects.Object) bool {
	return objects.HoldsChanges(o.Name) && r.filter.MayHold(o.Relative) && !r.checkpoint.passed(o)
}

func (r *run) objects(ctx context.Context) error {
	for o, err := range r.source.List(ctx) {
		switch {
		case err != nil:
			return err
		case !objects.HoldsChanges(o.Name):
			r.progress.add(Summary{PassedOver: 1})
			continue
		case !r.wants(o):
			r.ruledOut++
			continue
		}
		if err := r.object(ctx, o); err != nil {
			return err
		}
		if err := r.checkpoint.done(o, r.progress.summary()); err != nil {
			return err
		}
	}
	return nil
}

// emptyError returns the error of a replay that has read no object.
func (r *run) emptyError(from string) error {
	what, passedOver := "name", r.progress.summary().PassedOver
	found := fmt.Sprintf("%s has no objects", from)
	switch {
	case r.ruledOut > 0:
		what = "filter"
		if namespaces := r.filter.Namespaces; len(namespaces) > 0 {
			what += ", which wants namespace " + strings.Join(namespaces, " or ")
		}
		found = fmt.Sprintf("the filter selects none of the objects in %s (%s)", from, plural.Of(r.ruledOut, "object"))
	case passedOver > 0:
		found = fmt.Sprintf("none of the objects in %s has changes or dead letters (%s)", from, plural.Of(passedOver, "object"))
	}
	return fmt.Errorf("replay: %s; check the %s, or allow that with -allow-empty", found, what)
}

// object replays an object, from the first chunk that the checkpoint does not have. Of a
// damaged object it replays what can be read. An error ends the replay.
func (r *run) object(ctx context.Context, o objects.Object) error {
	var file *os.File
	var release func()
	err := retry.Do(ctx, r.progress.Printf, "read "+o.Name, func() (err error) {
		file, release, err = r.source.Fetch(ctx, o)
		return err
	})
	switch {
	case change.IsPermanent(err):
		r.damaged(o, err)
	case err != nil:
		return err
	default:
		defer release()
		if err := r.chunks(ctx, file, o); err != nil {
			return err
		}
	}
	r.progress.add(Summary{Objects: 1, Bytes: o.Size})
	return nil
}

func (r *run) damaged(o objects.Object, err error) {
	r.progress.Printf("%s: damaged or deleted: %v", o.Name, err)
	r.progress.add(Summary{Damaged: 1})
}

// chunks replays the chunks of an object that the checkpoint does not have.
func (r *run) chunks(ctx context.Context, file *os.File, o objects.Object) error {
	n, done := 0, r.checkpoint.chunksOf(o)
	for chunk, err := range r.decoder.Chunks(file, o.Name) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case change.IsPermanent(err):
			r.damaged(o, err)
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", o.Name, err)
		}
		if n++; n <= done {
			continue
		}
		if err := r.chunk(ctx, o, chunk); err != nil {
			return err
		}
		if err := r.checkpoint.next(o, n, r.progress.summary()); err != nil {
			return err
		}
		if at, err := file.Seek(0, io.SeekCurrent); err == nil { // meaningless for Parquet, which is read from its end
			r.progress.reach(at)
		}
	}
	return nil
}

// chunk stores the changes of a chunk that the filter takes, and counts them after that.
func (r *run) chunk(ctx context.Context, o objects.Object, chunk []objects.Entry) error {
	var sum Summary
	var lines []int
	var batch sink.Batch
	for i := range chunk {
		p, line := &chunk[i].Parsed, chunk[i].Line
		switch {
		case !r.filter.Takes(&chunk[i]):
			sum.LeftOut++
		case errors.Is(p.Err, objects.ErrNoBytes):
			sum.NoBytes++
			r.progress.Errorf("%s:%d: %v", o.Name, line, p.Err)
		case p.Err != nil:
			sum.Unreadable++
			r.progress.Errorf("%s:%d: not a change: %v", o.Name, line, p.Err)
		default:
			sum.Changes++
			lines = append(lines, line)
			batch.Changes = append(batch.Changes, *p)
		}
	}
	verdicts, err := r.storer.store(ctx, batch)
	if err != nil {
		return err
	}
	for i, verdict := range verdicts {
		if verdict != nil {
			sum.Refused++
			r.progress.Errorf("%s:%d: refused: %v", o.Name, lines[i], verdict)
		}
	}
	r.progress.add(sum)
	return nil
}
