package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/retry"
)

// ahead is how many objects a restore reads ahead of the one that it writes.
const ahead = 3

// reading is an object that is being read, with what a restore needs of it.
type reading struct {
	number  int // in the plan
	planned *newest.PlannedObject
	chunks  chan selection
}

// selection is what a restore needs of a chunk.
type selection struct {
	found
	parts  []part
	number int  // of chunks so far
	done   bool // the records in found were written by an earlier run
	last   bool // the object is read, as far as it can be
	err    error
}

// part is a change that is joined with others.
type part struct {
	change  change.Change
	need    newest.Need
	ordinal int
	line    int
}

// readAhead yields the objects that are needed, in order, and reads a few of them ahead.
func (r *restore) readAhead(ctx context.Context) iter.Seq[*reading] {
	return func(yield func(*reading) bool) {
		var started sync.WaitGroup
		defer started.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		queue := make(chan *reading, ahead)
		started.Go(func() {
			defer close(queue)
			for i := range r.plan.Objects {
				o := &r.plan.Objects[i]
				if o.Parts == 0 && (o.Alone == 0 || r.begun.passed(o.Object)) {
					continue
				}
				next := &reading{i, o, make(chan selection, 1)}
				select {
				case queue <- next:
				case <-ctx.Done():
					return
				}
				started.Go(func() {
					defer close(next.chunks)
					r.read(ctx, next)
				})
			}
		})
		for next := range queue {
			if !yield(next) {
				return
			}
		}
	}
}

// send sends a selection, unless ctx is done.
func (o *reading) send(ctx context.Context, s selection) bool {
	select {
	case o.chunks <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// read reads an object.
func (r *restore) read(ctx context.Context, o *reading) {
	var file *os.File
	var release func()
	err := retry.Do(ctx, r.progress.Printf, "read "+o.planned.Name, func() (err error) {
		file, release, err = r.source.Fetch(ctx, o.planned.Object)
		return err
	})
	last := selection{last: true, done: r.begun.passed(o.planned.Object)}
	if err == nil {
		last.number, err = r.chunks(ctx, o, file)
		release()
	}
	switch {
	case err == nil:
	case !change.IsPermanent(err):
		last.err = fmt.Errorf("read %s: %w", o.planned.Name, err)
	case !o.planned.Damaged: // else the index has counted it
		r.progress.Printf("%s: damaged or deleted: %v", o.planned.Name, err)
		last.sum.Damaged++
	}
	o.send(ctx, last)
}

// chunks sends what is needed of each chunk, and returns how many chunks there are.
func (r *restore) chunks(ctx context.Context, o *reading, file *os.File) (number int, err error) {
	decoder := objects.Decoder{Parser: r.options.Parser, Want: objects.WantBins}
	ordinal := 0
	for chunk, err := range decoder.Chunks(file, o.planned.Name) {
		if err != nil {
			return number, err
		}
		number++
		s := selection{number: number, done: r.begun.passed(o.planned.Object) || number <= r.begun.chunksOf(o.planned.Object)}
		for i := range chunk {
			if s.err = r.choose(&s, o, ordinal, &chunk[i]); s.err != nil {
				break
			}
			ordinal++
		}
		if !o.send(ctx, s) {
			return number, context.Cause(ctx)
		}
	}
	if ordinal != o.planned.Entries {
		return number, change.Permanent(fmt.Errorf("it has %d changes, and had %d when it was read first", ordinal, o.planned.Entries))
	}
	return number, nil
}

// errDeletedBin is the error of an archive whose writes are taken for whole records, and are
// not.
var errDeletedBin = errors.New("the change deletes a bin, so the database ships only bins that have changed; say so with write=update in the URL of the sink")

// choose adds what is needed of an entry.
func (r *restore) choose(s *selection, o *reading, ordinal int, e *objects.Entry) error {
	need := o.planned.Need(ordinal)
	c := &e.Parsed.Change
	switch {
	case need == newest.NotNeeded:
	case e.Parsed.Err != nil:
		if !s.done {
			s.sum.Unreadable++
			r.progress.Errorf("%s:%d: not a change: %v", o.planned.Name, e.Line, e.Parsed.Err)
		}
	case need != newest.NeedAlone:
		s.parts = append(s.parts, part{*c, need, ordinal, e.Line})
	case s.done:
	case c.Op.IsDelete():
		r.classify(&s.found, *c, o.planned.Name, e.Line)
	default:
		if c.Mode == change.ModeUnknown && deletesBin(c) {
			return fmt.Errorf("%s:%d: %w", o.planned.Name, e.Line, errDeletedBin)
		}
		replace := *c
		replace.Mode = change.Replace
		r.classify(&s.found, replace, o.planned.Name, e.Line)
	}
	return nil
}

// deletesBin reports whether a bin of c is deleted.
func deletesBin(c *change.Change) bool {
	for i := range c.Bins {
		if c.Bins[i].Value.Kind() == change.KindNil {
			return true
		}
	}
	return false
}
