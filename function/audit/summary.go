package audit

import (
	"time"

	"github.com/aerosink/aerosink/function/replay/newest"
)

// Summary counts what an audit compared and found.
type Summary struct {
	Since     time.Time // records that changed before were not compared; zero is no bound
	Watermark time.Time // records that changed later were not compared

	Database int64 // records of the scan, which changed in that time
	Archive  int64 // records of the archive that are alive
	Deleted  int64 // records of the archive that are deleted
	Same     int64 // records of which both have the same version, or neither has one
	UnderWay int64 // records that changed after the watermark
	Outside  int64 // records of the archive that expired, or changed before Since
	Read     int64 // records that were read again, with their LUT

	Findings map[Kind]int64 // without kinds of which there are none
	Oldest   time.Time      // last update of the oldest record that a rewind ships again; zero if there is none

	Damaged    int // objects of the archive that are damaged or gone
	Unreadable int // lines of the archive without a change: unreadable, or dead letters without bytes
}

// Found returns the number of findings.
func (s *Summary) Found() (n int64) {
	for _, k := range s.Findings {
		n += k
	}
	return n
}

// Complete reports whether all of the archive could be read. If not, findings may be wrong,
// and others may be lacking.
func (s *Summary) Complete() bool { return s.Damaged == 0 && s.Unreadable == 0 }

// count counts a verdict other than found.
func (s *Summary) count(v verdict) {
	switch v {
	case same:
		s.Same++
	case underWay:
		s.UnderWay++
	case outside:
		s.Outside++
	}
}

// readArchive counts what of an archive could not be read. A part of it may be read twice.
func (s *Summary) readArchive(c newest.Counts) {
	s.Damaged, s.Unreadable = max(s.Damaged, c.Damaged), max(s.Unreadable, c.Unreadable+c.NoBytes)
}

// archived counts a state of the archive, nil for none.
func (s *Summary) archived(state *State) {
	switch {
	case state == nil:
	case state.alive():
		s.Archive++
	default:
		s.Deleted++
	}
}

// add counts a finding about a record, nil if the database does not have it.
func (s *Summary) add(kind Kind, r *Record) {
	if s.Findings == nil {
		s.Findings = map[Kind]int64{}
	}
	s.Findings[kind]++
	if !kind.repairable() {
		return
	}
	if at := time.UnixMilli(r.LUT).UTC(); s.Oldest.IsZero() || at.Before(s.Oldest) {
		s.Oldest = at
	}
}
