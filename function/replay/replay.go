// Package replay reads an archive or dead letters back and stores their changes again,
// in sinks or at an HTTP destination. Archives of every format are read, and the dead
// letters of the function and of the connector.
//
// A replay lists the objects by name and passes over those whose path the filter rules
// out. It fetches one object at a time, decodes it in chunks, drops the changes that the
// filter does not want, puts the rest into all sinks, retries what failed, and writes a
// checkpoint. Changes keep the order that they have in an object.
//
// A restore, see [Restore], stores only the newest version of each record up to a time:
//
//  1. package newest makes an index of the metadata of all changes, and from it a plan of the
//     changes that are needed;
//  2. these are read, a few objects ahead, and put in batches, several at once;
//  3. bins that were shipped in parts are joined by package newest, and put last.
//
// A replay may be repeated. Chunks depend only on the content of the object, so an archive
// that derives its object names from their content does not change.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink"
)

// Options says what to replay, and where to.
type Options struct {
	From    string          // URL of a bucket and a prefix, or the path of a directory or file
	Buckets objects.Buckets // that From may name
	Filter  objects.Filter

	// To lists the sinks. Each gets all changes. Without sinks the changes are only read
	// and counted. Run opens and closes the sinks.
	To []sink.Spec

	// Parser reads the JSON of archives and the messages of dead letters. Run sets its
	// Bins if a sink needs bins.
	Parser formats.Parser

	// Restore, unless nil, makes it a restore: only the newest version of each record is
	// stored, up to Filter.Until.
	Restore *Restore

	Rate float64 // most changes per second, in bursts of a chunk; 0 is no limit

	// Checkpoint is the path of the file that keeps the progress; "" keeps none. A replay
	// with the same Options continues from it. Run removes it at the end.
	Checkpoint string

	// AllowEmpty allows a replay that reads no object. Otherwise that is an error, because
	// From or Filter is probably wrong.
	AllowEmpty bool

	Out      io.Writer // for progress and errors
	Terminal bool      // Out is a terminal: progress is rewritten on one line
}

// Run replays until everything is done or ctx is. When ctx is done it still stores the
// current chunk, and the error says how to continue. Run retries temporary errors without
// end. Permanent errors are printed to Out and counted in the Summary, and do not end the
// replay.
func Run(ctx context.Context, o Options) (Summary, error) {
	checkpoint, err := openCheckpoint(o)
	if err != nil {
		return Summary{}, fmt.Errorf("replay: %w", err)
	}
	source, err := o.Buckets.Open(ctx, o.From)
	if err != nil {
		return Summary{}, fmt.Errorf("replay: %w", err)
	}
	defer source.Close()
	p := newProgress(&o, checkpoint.Summary)
	r := &run{
		source:     source,
		filter:     checkpoint.filter(o.Filter),
		decoder:    objects.Decoder{Parser: o.Parser},
		storer:     storer{limit: rate.NewLimiter(rate.Inf, objects.ChunkChanges), progress: p},
		progress:   p,
		checkpoint: checkpoint,
	}
	if !r.filter.Since.Equal(o.Filter.Since) || !r.filter.Until.Equal(o.Filter.Until) {
		p.Printf("continuing with the times of %s: %s", o.Checkpoint, bounds(r.filter))
	}
	for _, spec := range o.To {
		s, err := spec.Open(ctx)
		if err != nil {
			return Summary{}, fmt.Errorf("replay: %w", err)
		}
		defer func() { _ = s.Close() }() // every Put has returned
		r.storer.sinks = append(r.storer.sinks, s)
		r.decoder.Parser.Bins = r.decoder.Parser.Bins || spec.Bins
	}
	if o.Rate > 0 {
		r.storer.limit.SetLimit(rate.Limit(o.Rate))
	}
	if o.Restore != nil {
		restore := &restore{options: o, source: source, filter: r.filter, progress: p, checkpoint: checkpoint, storer: r.storer}
		err = restore.run(ctx)
		r.ruledOut = restore.ruledOut
	} else {
		err = r.all(ctx)
	}
	switch {
	case ctx.Err() != nil && o.Checkpoint != "":
		return p.summary(), fmt.Errorf("replay: interrupted; run it with the same arguments to continue from %s", o.Checkpoint)
	case ctx.Err() != nil:
		return p.summary(), errors.New("replay: interrupted; with -checkpoint FILE the next one can continue from where it stopped")
	case err != nil:
		return p.summary(), fmt.Errorf("replay: %w", err)
	}
	err = checkpoint.remove()
	switch s := p.summary(); {
	case o.AllowEmpty:
	case s.Objects == 0:
		err = errors.Join(err, r.emptyError(o.From))
	case o.Restore != nil && s.Changes == 0:
		err = errors.Join(err, fmt.Errorf("replay: the filter selects none of the changes in %s (%s); check the filter, which wants namespace %s, or allow that with -allow-empty", o.From, plural.Of(s.LeftOut, "change"), strings.Join(o.Filter.Namespaces, " or ")))
	}
	return p.summary(), err
}

// bounds returns the times of f, at least one of which is set.
func bounds(f objects.Filter) string {
	var parts []string
	for _, bound := range []struct {
		name string
		at   time.Time
	}{{"since", f.Since}, {"until", f.Until}} {
		if !bound.at.IsZero() {
			parts = append(parts, bound.name+" "+bound.at.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	return strings.Join(parts, ", ")
}
