package objects

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Filter selects changes. The zero Filter selects all.
type Filter struct {
	// Since and Until bound the last update time, or the time when a dead letter was
	// stored: Since is included, Until is not, zero is no bound. If one is set, changes
	// without a time are left out.
	Since, Until time.Time

	Namespaces []string // empty: all
	Sets       []string // empty: all; "" selects records in no set
}

// Takes reports whether e is to be replayed. An entry without a change has a time only if it
// is a dead letter, and names only if that has them.
func (f *Filter) Takes(e *Entry) bool {
	if e.Parsed.Err != nil && e.Parsed.Change.Namespace == "" {
		return e.Received.IsZero() || f.takesTime(e)
	}
	c := &e.Parsed.Change
	return (len(f.Namespaces) == 0 || slices.Contains(f.Namespaces, c.Namespace)) &&
		(len(f.Sets) == 0 || slices.Contains(f.Sets, c.Set)) &&
		f.takesTime(e)
}

func (f *Filter) takesTime(e *Entry) bool {
	if f.Since.IsZero() && f.Until.IsZero() {
		return true
	}
	at := e.Received
	if at.IsZero() {
		if e.Parsed.Change.LUT == 0 {
			return false
		}
		at = time.UnixMilli(e.Parsed.Change.LUT)
	}
	return f.overlaps(at, at)
}

// overlaps reports whether the time from first to last overlaps the bounds.
func (f *Filter) overlaps(first, last time.Time) bool {
	return !last.Before(f.Since) && (f.Until.IsZero() || first.Before(f.Until))
}

// none stands in a path for a value that a change or a dead letter does not have.
const none = "__HIVE_DEFAULT_PARTITION__"

// MayHold reports whether the object of that name may hold changes that the filter takes.
// It reads namespace=, set=, dt= and hour= in the path. A value may hold more than a name,
// as in set={set}-{shard:16}. The name is relative to the path that was asked for.
func (f *Filter) MayHold(name string) bool {
	var day, hour string
	for part := range strings.SplitSeq(name, "/") {
		key, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(value)
		if !ok || err != nil || value == none {
			continue
		}
		switch key {
		case "namespace":
			if !occurs(f.Namespaces, value) {
				return false
			}
		case "set":
			if !occurs(f.Sets, value) {
				return false
			}
		case "dt":
			day = value
		case "hour":
			hour = value
		}
	}
	return f.mayHoldTime(day, hour)
}

// occurs reports whether one of the names occurs in value, or there are no names.
func occurs(names []string, value string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return strings.Contains(value, cmp.Or(name, none)) })
}

func (f *Filter) mayHoldTime(day, hour string) bool {
	if first, err := time.Parse("2006-01-02 15", day+" "+hour); err == nil {
		return f.overlaps(first, first.Add(time.Hour-1))
	}
	if first, err := time.Parse(time.DateOnly, day); err == nil {
		return f.overlaps(first, first.AddDate(0, 0, 1).Add(-1))
	}
	return true
}
