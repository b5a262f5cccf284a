// Package replay reads back what the sinks have stored: an archive in any of its
// formats, or dead letters, the function's or the connector's. The changes go to sinks
// again, or to an HTTP destination, in the order in which they stand in the objects,
// and these in the order of their names.
//
// A replay may be done twice. It cuts an object into chunks by its content alone and
// stores one chunk after another, so that an archive whose object names follow from
// their content is the same after the second time.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
)

// Options say what to replay.
type Options struct {
	From   string // gs://BUCKET/PREFIX, or the path of a folder or file
	Filter Filter

	// To are the sinks, all of which shall have the changes. Without any they are only
	// read and counted. Run opens and closes them.
	To []sink.Spec

	// Parser reads the JSON of archives and the bytes of letters. Whether it reads bins
	// follows from To.
	Parser formats.Parser

	Rate float64 // most changes a second, in bursts of a chunk; 0 is no limit

	// Checkpoint is the file that holds how far the replay has come; "" is none. A
	// replay of the same Options goes on from there. It is removed at the end.
	Checkpoint string

	Out      io.Writer // for progress, and for what goes wrong
	Terminal bool      // Out is one, on which the line of progress is rewritten
}

// Run replays until all is done, or until ctx is: then the chunk in hand is still
// stored, and the error says how to go on. What is worth it is tried again, however
// often. What is not is told on Out and in the Summary, and does not end the replay.
func Run(ctx context.Context, o Options) (Summary, error) {
	r := &run{Options: o}
	var err error
	if r.progress, err = begin(o); err != nil {
		return Summary{}, fmt.Errorf("replay: %w", err)
	}
	if r.source, err = open(ctx, o.From); err != nil {
		return Summary{}, fmt.Errorf("replay: %w", err)
	}
	defer r.source.close()
	for _, spec := range o.To {
		s, err := spec.Open(ctx)
		if err != nil {
			return Summary{}, fmt.Errorf("replay: %w", err)
		}
		defer func() { _ = s.Close() }() // all it had to store is stored
		r.sinks = append(r.sinks, s)
		r.Parser.Bins = r.Parser.Bins || spec.Bins
	}
	r.limit = rate.NewLimiter(rate.Inf, chunkChanges)
	if o.Rate > 0 {
		r.limit.SetLimit(rate.Limit(o.Rate))
	}
	return r.all(ctx)
}

// run is a replay that is running.
type run struct {
	Options
	source   source
	sinks    []sink.Sink
	limit    *rate.Limiter
	progress *checkpoint
	meter    *meter
}

func (r *run) all(ctx context.Context) (Summary, error) {
	r.Filter = r.progress.filter(r.Filter)
	r.meter = &meter{out: r.Out, terminal: r.Terminal, begun: time.Now(), sum: r.progress.Summary}
	if err := r.measure(ctx); err != nil {
		return r.progress.Summary, fmt.Errorf("replay: %w", err)
	}
	stop := r.meter.start()
	err := r.objects(ctx)
	stop()
	switch {
	case ctx.Err() != nil && r.Checkpoint != "":
		return r.meter.summary(), fmt.Errorf("replay: interrupted; run it with the same arguments to go on from %s", r.Checkpoint)
	case ctx.Err() != nil:
		return r.meter.summary(), errors.New("replay: interrupted; with -checkpoint FILE the next one can go on from where it stopped")
	case err != nil:
		return r.meter.summary(), fmt.Errorf("replay: %w", err)
	}
	return r.meter.summary(), r.progress.remove()
}

// measure sums up what there is to do.
func (r *run) measure(ctx context.Context) error {
	for o, err := range r.source.list(ctx) {
		if err != nil {
			return err
		}
		if r.isNext(o) {
			r.meter.total += o.size
			r.meter.objects++
		}
	}
	if at := r.progress; at.Object != "" {
		r.meter.tell("continuing after chunk %d of %s", at.Chunk, at.Object)
	}
	return nil
}

// isNext reports whether o is an object to read that was not passed before.
func (r *run) isNext(o object) bool {
	return kindOf(o.name) != "" && r.Filter.mayHold(o.below) && !r.progress.passed(o)
}

func (r *run) objects(ctx context.Context) error {
	for o, err := range r.source.list(ctx) {
		switch {
		case err != nil:
			return err
		case kindOf(o.name) == "":
			r.meter.count(Summary{PassedOver: 1})
			continue
		case !r.isNext(o):
			continue
		}
		if err := r.object(ctx, o); err != nil {
			return err
		}
		if err := r.progress.done(o, r.meter.summary()); err != nil {
			return err
		}
	}
	return nil
}
