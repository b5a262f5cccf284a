package replay

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aerosink/aerosink/connector/plural"
)

// Summary counts what a replay did.
type Summary struct {
	Objects    int   // objects read
	Bytes      int64 // their bytes, as stored
	Changes    int   // changes to replay
	Refused    int   // changes that a sink refused permanently
	Unreadable int   // lines that are not changes
	NoBytes    int   // dead letters without the bytes of their change
	LeftOut    int   // changes that the filter left out
	Damaged    int   // objects that are damaged or gone
	PassedOver int   // objects that are not part of an archive

	// Of a restore.
	Records     int   // records that were written
	RecordBytes int64 // names and values of their bins
	Updated     int   // of Records, those of which the archive has only updates
	Deletes     int   // records that were deleted
	Expired     int   // records that have expired, and were deleted
	NoBins      int   // records whose newest version was shipped without bins
}

func (s Summary) plus(t Summary) Summary {
	return Summary{
		s.Objects + t.Objects, s.Bytes + t.Bytes, s.Changes + t.Changes, s.Refused + t.Refused,
		s.Unreadable + t.Unreadable, s.NoBytes + t.NoBytes, s.LeftOut + t.LeftOut, s.Damaged + t.Damaged, s.PassedOver + t.PassedOver,
		s.Records + t.Records, s.RecordBytes + t.RecordBytes, s.Updated + t.Updated, s.Deletes + t.Deletes, s.Expired + t.Expired, s.NoBins + t.NoBins,
	}
}

// handled returns how many records a restore is done with.
func (s Summary) handled() int { return s.Records + s.Deletes + s.Expired + s.NoBins }

// String returns the counts that are not 0, on one line.
func (s Summary) String() string {
	text := plural.Of(s.Objects, "object") + ", " + plural.Of(s.Changes, "change")
	if s.handled() > 0 {
		text += fmt.Sprintf(", %s (%s), %s", plural.Of(s.Records, "record"), plural.Of(int(s.RecordBytes), "byte"), plural.Of(s.Deletes, "delete"))
	}
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.Expired, fmt.Sprintf("%d expired", s.Expired)},
		{s.NoBins, plural.Of(s.NoBins, "record") + " without bins"},
		{s.Updated, plural.Of(s.Updated, "record") + " of which the archive has only updates"},
		{s.Refused, fmt.Sprintf("%d refused", s.Refused)},
		{s.LeftOut, fmt.Sprintf("%d left out by the filter", s.LeftOut)},
		{s.Unreadable, plural.Of(s.Unreadable, "unreadable line")},
		{s.NoBytes, plural.Of(s.NoBytes, "dead letter") + " without bytes"},
		{s.Damaged, plural.Of(s.Damaged, "damaged object")},
		{s.PassedOver, plural.Of(s.PassedOver, "other object") + " skipped"},
	} {
		if part.n > 0 {
			text += ", " + part.text
		}
	}
	return text
}

// Err returns an error unless everything was replayed.
func (s Summary) Err() error {
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.Refused, plural.Of(s.Refused, "change") + " refused"},
		{s.NoBins, plural.Of(s.NoBins, "record") + " without bins"},
		{s.Unreadable, plural.Of(s.Unreadable, "unreadable line")},
		{s.NoBytes, plural.Of(s.NoBytes, "dead letter") + " without bytes"},
		{s.Damaged, plural.Of(s.Damaged, "damaged object")},
	} {
		if part.n > 0 {
			parts = append(parts, part.text)
		}
	}
	if parts == nil {
		return nil
	}
	return errors.New("replay: incomplete: " + strings.Join(parts, ", ") + "; see above")
}
