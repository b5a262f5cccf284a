// Package row makes a change a row of a table, for the files that SQL engines read:
// an Avro record, or a row of Parquet, of one schema. See [Schema].
//
// Nothing of a change is lost in its row but the order of its bins, which has no
// meaning, and the cells of GeoJSON, which the database computes anew.
//
// A table of BigQuery that has a row of each record, not of each change, takes other
// messages: see [AppendBigQuery].
package row

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Row is a change in the form of [Schema]. It shares the memory of the change that it
// was made of.
type Row struct {
	c    change.Change // its bins are not used
	key  cell          // of no name
	bins []cell        // by name
}

// Of returns the row of a change. An error is permanent and says what the schema has
// no form for.
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

// endOfTime is where the timestamps of SQL end, in Unix seconds: with the year 9999.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()

// check finds what the metadata has no column for.
func (r *Row) check() error {
	switch c := &r.c; {
	case !utf8.ValidString(c.Namespace):
		return errors.New("the namespace is not UTF-8")
	case !utf8.ValidString(c.Set):
		return errors.New("the set is not UTF-8")
	case c.LUT < 0 || c.LUT/1000 > endOfTime:
		return fmt.Errorf("a last update time of %d ms is outside of the years 1970 to 9999", c.LUT)
	case c.Expiry < change.ExpiryUnknown || c.Expiry > endOfTime:
		return fmt.Errorf("an expiry of %d s is outside of the years 1970 to 9999", c.Expiry)
	case !isKey(c.Key.Kind()):
		return fmt.Errorf("a user key of kind %s", c.Key.Kind())
	}
	return nil
}

// isKey reports whether a user key may be of the kind.
func isKey(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindInteger, change.KindDouble, change.KindString:
		return true
	}
	return labelOf(kind) == labelBlob && kind <= math.MaxUint8
}

// sort puts the bins in the order of their names.
func (r *Row) sort() error {
	byName := func(a, b cell) int { return cmp.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(r.bins, byName) {
		slices.SortStableFunc(r.bins, byName)
	}
	for i := 1; i < len(r.bins); i++ {
		if r.bins[i-1].name == r.bins[i].name {
			return fmt.Errorf("two bins %s", r.bins[i].name)
		}
	}
	return nil
}

// expires says whether the record expires, and known whether that is known.
func (r *Row) expires() (expires, known bool) {
	return r.c.Expiry > 0, r.c.Expiry != change.ExpiryUnknown && !r.c.Op.IsDelete()
}

var modes = [...]string{change.ModeUnknown: "", change.Replace: "replace", change.Update: "update"}

// mode returns the mode of a write, "" where it is unknown.
func (r *Row) mode() string { return modes[r.c.Mode] }
