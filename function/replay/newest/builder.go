package newest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/retry"
)

// builder fills an Index.
type builder struct {
	Options
	mu    sync.Mutex
	index *Index
}

// read reads an object. Of a damaged one it reads what can be read.
func (b *builder) read(ctx context.Context, number int) error {
	o := &b.index.objects[number]
	var file *os.File
	var release func()
	err := retry.Do(ctx, b.Printf, "read "+o.Name, func() (err error) {
		file, release, err = b.Source.Fetch(ctx, o.Object)
		return err
	})
	switch {
	case change.IsPermanent(err):
		b.damaged(o, err)
	case err != nil:
		return err
	default:
		err := b.entries(ctx, file, number)
		release()
		if err != nil {
			return err
		}
	}
	b.count(Counts{Objects: 1, Bytes: o.Size})
	return nil
}

func (b *builder) damaged(o *PlannedObject, err error) {
	o.Damaged = true
	b.Printf("%s: damaged or deleted: %v", o.Name, err)
	b.count(Counts{Damaged: 1})
}

func (b *builder) count(c Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index.counts = b.index.counts.plus(c)
	if b.Progress != nil {
		b.Progress(b.index.counts)
	}
}

// entries reads the changes of an object.
func (b *builder) entries(ctx context.Context, file *os.File, number int) error {
	o := &b.index.objects[number]
	decoder := objects.Decoder{Parser: b.Parser, Want: objects.WantMetadata}
	for chunk, err := range decoder.Chunks(file, o.Name) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case change.IsPermanent(err):
			b.damaged(o, err)
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", o.Name, err)
		}
		if err := b.chunk(number, chunk); err != nil {
			return err
		}
	}
	return nil
}

// chunk adds the changes of a chunk that the filter takes.
func (b *builder) chunk(number int, chunk []objects.Entry) error {
	o := &b.index.objects[number]
	var taken []int
	var c Counts
	for i := range chunk {
		e := &chunk[i]
		switch {
		case !b.Filter.Takes(byLUT(e)):
			c.LeftOut++
		case errors.Is(e.Parsed.Err, objects.ErrNoBytes):
			c.NoBytes++
			b.Errorf("%s:%d: %v", o.Name, e.Line, e.Parsed.Err)
		case e.Parsed.Err != nil:
			c.Unreadable++
			b.Errorf("%s:%d: not a change: %v", o.Name, e.Line, e.Parsed.Err)
		default:
			taken = append(taken, i)
			if !e.Received.IsZero() {
				c.DeadLetters++
			}
		}
	}
	c.Changes = len(taken)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index.counts = b.index.counts.plus(c)
	for _, i := range taken {
		if err := b.add(number, o.Entries+i, &chunk[i].Parsed.Change); err != nil {
			return err
		}
	}
	o.Entries += len(chunk)
	return nil
}

// byLUT returns e as one that the filter judges by its last update time even if it is a dead
// letter, unless that has none.
func byLUT(e *objects.Entry) *objects.Entry {
	if e.Received.IsZero() || e.Parsed.Change.LUT == 0 {
		return e
	}
	dated := *e
	dated.Received = time.Time{}
	return &dated
}

// add adds a change.
func (b *builder) add(number, ordinal int, c *change.Change) error {
	e := entry{
		digest: c.Digest, name: b.index.names.number(c.Namespace, c.Set), lut: c.LUT, expiry: c.Expiry, generation: c.Generation,
		object: uint32(number), ordinal: uint32(ordinal), op: c.Op, mode: c.Mode,
	}
	if c.Op == change.Write && c.Mode == change.ModeUnknown {
		e.mode = b.Mode
	}
	return b.index.add(&e)
}
