package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
)

// archive reads the newest states of records from the objects of an archive.
type archive struct {
	namespace string
	source    objects.Source
	options   newest.Options
	ignored   []string // sets
	indexes   []*newest.Index
}

// openArchive opens the archive. The caller closes it.
func openArchive(ctx context.Context, o *Options, p *progress) (*archive, error) {
	source, err := o.Buckets.Open(ctx, o.From)
	if err != nil {
		return nil, err
	}
	filter := objects.Filter{Namespaces: []string{o.Against.Namespace}}
	if o.Against.Set != "" {
		filter.Sets = []string{o.Against.Set}
	}
	return &archive{namespace: o.Against.Namespace, source: source, ignored: o.Ignore, options: newest.Options{
		Source: source, Parser: o.Parser, Filter: filter, Printf: p.Printf, Errorf: p.Errorf, Progress: p.indexed,
	}}, nil
}

// states implements [source], from the objects that were written since a time.
func (a *archive) states(ctx context.Context, since time.Time) (iter.Seq2[State, error], error) {
	options := a.options
	options.Wants = func(o objects.Object) bool { return !o.Created.Before(since) }
	index, err := newest.Read(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	a.indexes = append(a.indexes, index)
	return func(yield func(State, error) bool) {
		for r, err := range index.Records(a.namespace) {
			if err != nil {
				yield(State{}, fmt.Errorf("read the index of the archive: %w", err))
				return
			}
			if slices.Contains(a.ignored, r.Set) {
				continue
			}
			if !yield(State{Digest: r.Digest, Set: r.Set, Version: r.Version, Expiry: r.Expiry, Object: r.Object, Position: r.Position}, nil) {
				return
			}
		}
	}, nil
}

// counts implements [source], for the index that was read last.
func (a *archive) counts() newest.Counts {
	if len(a.indexes) == 0 {
		return newest.Counts{}
	}
	return a.indexes[len(a.indexes)-1].Counts()
}

// close implements [source]. It removes the indexes.
func (a *archive) close() error {
	a.source.Close()
	var errs []error
	for _, index := range a.indexes {
		errs = append(errs, index.Close())
	}
	return errors.Join(errs...)
}
