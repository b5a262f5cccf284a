// Package row turns changes into table rows, for files that SQL engines read: Avro records
// and Parquet rows with one schema, see [Schema]. It also reads such files back.
//
// A row keeps everything in a change except the order of its bins, which has no meaning, and
// the cells of GeoJSON, which the database computes again.
//
// A BigQuery table with a row for each record, not for each change, needs other messages:
// see [AppendBigQuery].
package row

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Row is a change in the form of [Schema]. It shares the memory of that change.
type Row struct {
	c    change.Change // its bins are not used
	key  cell          // without a name
	bins []cell        // by name
}

// Of returns the row of a change. An error is permanent: the schema cannot express the
// change.
func Of(p *format.Parsed) (Row, error) {
	r := Row{c: p.Change}
	r.c.Bins = nil
	if err := r.check(); err != nil {
		return Row{}, change.Permanent(fmt.Errorf("make a row: %w", err))
	}
	r.key = cell{v: p.Change.Key}
	if p.Change.Op.IsDelete() {
		return r, nil
	}
	r.bins = make([]cell, len(p.Change.Bins))
	for i := range p.Change.Bins {
		if err := r.bins[i].of(&p.Change.Bins[i]); err != nil {
			return Row{}, change.Permanent(fmt.Errorf("make a row: %w", err))
		}
	}
	if err := r.sort(); err != nil {
		return Row{}, change.Permanent(fmt.Errorf("make a row: %w", err))
	}
	return r, nil
}

// check checks that the schema can express the metadata.
func (r *Row) check() error {
	switch c := &r.c; {
	case !utf8.ValidString(c.Namespace):
		return errors.New("the namespace is not UTF-8")
	case !utf8.ValidString(c.Set):
		return errors.New("the set is not UTF-8")
	case !isKey(c.Key.Kind()):
		return fmt.Errorf("unsupported user key of kind %s", c.Key.Kind())
	}
	return r.c.CheckTimes()
}

// isKey reports whether a user key may be of the kind.
func isKey(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindInteger, change.KindDouble, change.KindString:
		return true
	}
	return labelOf(kind) == labelBlob && kind <= math.MaxUint8
}

// sort sorts the bins by name.
func (r *Row) sort() error {
	byName := func(a, b cell) int { return cmp.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(r.bins, byName) {
		slices.SortStableFunc(r.bins, byName)
	}
	for i := 1; i < len(r.bins); i++ {
		if r.bins[i-1].name == r.bins[i].name {
			return fmt.Errorf("duplicate bin %s", r.bins[i].name)
		}
	}
	return nil
}

// expires reports whether the record expires, and whether that is known.
func (r *Row) expires() (expires, known bool) {
	return r.c.Expiry > 0, r.c.Expiry != change.ExpiryUnknown && !r.c.Op.IsDelete()
}

var modes = [...]string{change.ModeUnknown: "", change.Replace: "replace", change.Update: "update"}

// mode returns the mode of a write, "" if it is unknown.
func (r *Row) mode() string { return modes[r.c.Mode] }
