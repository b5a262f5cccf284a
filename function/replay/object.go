package replay

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// object replays an object from the chunk on with which the last run went on. One that
// is damaged is told, and what could be read of it is replayed. An error ends the
// replay.
func (r *run) object(ctx context.Context, o object) error {
	var file *os.File
	var release func()
	err := r.persist(ctx, "read "+o.name, func() (err error) {
		file, release, err = r.source.fetch(ctx, o)
		return err
	})
	switch {
	case change.IsPermanent(err):
		r.damaged(o, err)
	case err != nil:
		return err
	default:
		defer release()
		if err := r.read(ctx, file, o); err != nil {
			return err
		}
	}
	r.meter.count(Summary{Objects: 1, Bytes: o.size})
	return nil
}

func (r *run) damaged(o object, err error) {
	r.meter.tell("%s: damaged, or deleted meanwhile: %v", o.name, err)
	r.meter.count(Summary{Damaged: 1})
}

// read replays the chunks of an object but those that were done before.
func (r *run) read(ctx context.Context, file *os.File, o object) error {
	n, done := 0, r.progress.chunksOf(o)
	for chunk, err := range r.chunks(file, o) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case change.IsPermanent(err):
			r.damaged(o, err)
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", o.name, err)
		}
		if n++; n <= done {
			continue
		}
		if err := r.chunk(ctx, o, chunk); err != nil {
			return err
		}
		if err := r.progress.next(o, n, r.meter.summary()); err != nil {
			return err
		}
		if at, err := file.Seek(0, io.SeekCurrent); err == nil { // which of Parquet tells nothing
			r.meter.reach(at)
		}
	}
	return nil
}

// chunk stores what the filter takes of a chunk, and counts it once that is done.
func (r *run) chunk(ctx context.Context, o object, chunk []item) error {
	var sum Summary
	var lines []int
	var batch sink.Batch
	for i := range chunk {
		p, line := &chunk[i].parsed, chunk[i].line
		switch {
		case !r.Filter.takes(&chunk[i]):
			sum.LeftOut++
		case p.Err != nil:
			sum.Unreadable++
			r.meter.complain("%s:%d: not a change: %v", o.name, line, p.Err)
		default:
			sum.Changes++
			lines = append(lines, line)
			batch.Changes = append(batch.Changes, *p)
		}
	}
	if len(r.sinks) > 0 && len(lines) > 0 {
		verdicts, err := r.store(ctx, batch)
		if err != nil {
			return err
		}
		for i, verdict := range verdicts {
			if verdict != nil {
				sum.Refused++
				r.meter.complain("%s:%d: refused: %v", o.name, lines[i], verdict)
			}
		}
	}
	r.meter.count(sum)
	return nil
}
