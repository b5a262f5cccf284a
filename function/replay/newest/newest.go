// Package newest finds the newest version of each record in an archive, up to a time. What
// comes in are the objects of an archive; what goes out are the newest states of its records,
// in the order of a scan ([Index.Records]), or the changes that these states are made of
// ([Index.Plan]).
//
//  1. Read reads the metadata of all changes that the filter takes, several objects at once;
//  2. an entry of 48 bytes for each goes into one of 1,024 buckets by partition, which spill
//     to a temporary file;
//  3. Records and Plan load one bucket after the other, and sort it by record and version;
//  4. the changes of a record become a chain: the last change that has the whole record, or
//     deletes it, and the updates after that.
//
// Dead letters count as changes: they were shipped, though they were not stored.
//
// Memory: up to 16 MiB of buckets that are not on disk, a thousandth of the entries, the names
// of namespaces and sets, and the list of objects with about 300 bytes for each. Of records
// that were written very often, only the changes of their chain stay in memory.
package newest

import (
	"cmp"
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/spill"
)

// Options says what to read.
type Options struct {
	Source objects.Source
	Parser formats.Parser // for the JSON of archives and the messages of dead letters

	// Filter selects changes. Its times are compared with last update times, also of dead
	// letters. If one is set, changes without a last update time are left out.
	Filter objects.Filter

	// Wants, unless nil, rules out more objects.
	Wants func(objects.Object) bool

	// Mode is what a write is if its mode is unknown, as in JSON: change.Replace, or
	// change.Update if the source ships only bins that have changed. ModeUnknown is Replace.
	Mode change.Mode

	// Printf prints a line about an object. Errorf prints a line about a change that cannot
	// be read, of which there may be many. Neither has data of users. Progress, unless nil,
	// is told the counts so far after each object. They are called by several goroutines at
	// once.
	Printf, Errorf func(line string, args ...any)
	Progress       func(Counts)
}

// buckets is the number of buckets. Each has the entries of 4 partitions.
const buckets = 1024

// readers is the least number of objects that are read at once: most of the time of reading a
// small object from a bucket is spent waiting.
const readers = 8

// Read reads the metadata of the changes of an archive. It retries temporary errors until ctx
// is done. Objects and changes that cannot be read are printed and counted, and are not an
// error.
func Read(ctx context.Context, o Options) (*Index, error) {
	if o.Mode == change.ModeUnknown {
		o.Mode = change.Replace
	}
	x := &Index{spill: spill.New(buckets), mode: o.Mode}
	for listed, err := range o.Source.List(ctx) {
		switch {
		case err != nil:
			return nil, err
		case !objects.HoldsChanges(listed.Name):
			x.counts.PassedOver++
		case !o.Filter.MayHold(listed.Relative) || o.Wants != nil && !o.Wants(listed):
			x.counts.RuledOut++
		default:
			x.objects = append(x.objects, PlannedObject{Object: listed})
		}
	}
	x.rank()
	b := &builder{Options: o, index: x}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(max(readers, runtime.GOMAXPROCS(0)))
	for number := range x.objects {
		group.Go(func() error { return b.read(reading, number) })
	}
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}
