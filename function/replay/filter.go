package replay

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Filter says which changes to replay. The zero Filter is all.
type Filter struct {
	// Since and Until bound the last update time, or of a dead letter when it came:
	// from Since on, and before Until. Zero does not bound. A change whose time is not
	// known is left out where one is bounded.
	Since, Until time.Time

	Namespaces []string // none is all
	Sets       []string // none is all; "" is that of the records in no set
}

// takes reports whether the item is to be replayed. Of what cannot be read only the
// time is known, and that of letters alone.
func (f *Filter) takes(i *item) bool {
	if i.parsed.Err != nil {
		return i.received.IsZero() || f.takesTime(i)
	}
	c := &i.parsed.Change
	return (len(f.Namespaces) == 0 || slices.Contains(f.Namespaces, c.Namespace)) &&
		(len(f.Sets) == 0 || slices.Contains(f.Sets, c.Set)) &&
		f.takesTime(i)
}

func (f *Filter) takesTime(i *item) bool {
	if f.Since.IsZero() && f.Until.IsZero() {
		return true
	}
	at := i.received
	if at.IsZero() {
		if i.parsed.Change.LUT == 0 {
			return false
		}
		at = time.UnixMilli(i.parsed.Change.LUT)
	}
	return f.overlaps(at, at)
}

// overlaps reports whether some of the time from first to last is in the bounds.
func (f *Filter) overlaps(first, last time.Time) bool {
	return !last.Before(f.Since) && (f.Until.IsZero() || first.Before(f.Until))
}

// none stands in a path for what a change does not have, or for what of a letter was
// not known.
const none = "__HIVE_DEFAULT_PARTITION__"

// mayHold reports whether an object of the name may hold what the filter takes, as far
// as a hive path tells: namespace=, set=, dt= and hour=. What stands beside a name, as
// in set={set}-{shard:16}, is put up with. The name is that below where objects were
// looked for: what stands above was asked for.
func (f *Filter) mayHold(name string) bool {
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

// occurs reports whether one of the names occurs in the value of a folder. None is all.
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
