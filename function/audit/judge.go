package audit

import "time"

// window says which versions are compared, and how exactly.
type window struct {
	since     int64         // records that changed before are not looked at; Unix milliseconds, 0 is no bound
	watermark int64         // records that changed later are under way; Unix milliseconds
	tolerance time.Duration // by which expiries may differ
	exact     bool          // read the LUT of every record
}

// verdict is what a comparison says of a record.
type verdict int

const (
	same     verdict = iota
	underWay         // changed after the watermark
	outside          // changed before since, or expired
	suspect          // must be read again, with its LUT
	found            // a finding
)

// look compares what is known of a record without its LUT: its state in the archive, nil if
// there is none, and its metadata in a scan, which had only records in the window, nil if it
// was not in it. Now is in Unix seconds.
func (w *window) look(s *State, r *Record, now int64) verdict {
	switch {
	case s == nil:
		return suspect
	case r == nil && !s.alive():
		return same
	case r == nil && s.Version.LUT > w.watermark:
		return underWay
	case r == nil && (s.Version.LUT < w.since && s.Version.LUT != 0 || s.expiredAt(now+w.seconds())):
		return outside
	case r == nil, !s.alive(), w.exact:
		return suspect
	case s.Version.Generation != 0 && s.Version.Generation != r.Generation:
		return suspect
	case !w.expiresAlike(s, r):
		return suspect
	}
	return same
}

// judge compares the state of a record with the record as it was read again, with its LUT:
// nil if it is gone. The kind is that of a finding, "" if the verdict is another.
func (w *window) judge(s *State, r *Record, now int64) (Kind, verdict) {
	if r == nil {
		switch {
		case s == nil || !s.alive():
			return "", same
		case s.Version.LUT > w.watermark:
			return "", underWay
		case s.expiredAt(now + w.seconds()):
			return "", outside
		}
		return Unexpected, found
	}
	switch {
	case r.LUT > w.watermark:
		return "", underWay
	case r.LUT < w.since:
		return "", outside
	case s == nil:
		return Missing, found
	case s.Version.LUT == 0: // generations cannot tell which is newer
		if s.alive() && (s.Version.Generation == 0 || s.Version.Generation == r.Generation) {
			return "", same
		}
		return Stale, found
	}
	age := r.version().Compare(s.Version)
	switch {
	case !s.alive() && r.LUT >= s.Version.LUT: // the record was created again
		return Stale, found
	case !s.alive():
		return Revived, found
	case age > 0:
		return Stale, found
	case age < 0:
		return Older, found
	case !w.expiresAlike(s, r):
		return Expiry, found
	}
	return "", same
}

// expiresAlike reports whether both expire at the same time, as far as can be known: the
// expiry of a change is the time when it was received, by the clock there, plus the TTL in
// the message.
func (w *window) expiresAlike(s *State, r *Record) bool {
	if s.Expiry < 0 {
		return true
	}
	if s.Expiry == 0 || r.Expiry == 0 {
		return s.Expiry == r.Expiry
	}
	return max(s.Expiry-r.Expiry, r.Expiry-s.Expiry) <= w.seconds()
}

func (w *window) seconds() int64 { return int64(w.tolerance / time.Second) }
