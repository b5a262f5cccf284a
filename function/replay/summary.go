package replay

import (
	"errors"
	"fmt"
	"strings"
)

// Summary says what became of everything.
type Summary struct {
	Objects    int   // that were read
	Bytes      int64 // of them, as they are stored
	Changes    int   // that were to be replayed
	Refused    int   // of these, by a sink for good
	Unreadable int   // lines that are no change
	LeftOut    int   // changes, by the filter
	Damaged    int   // objects that could not be read to their end, or are gone
	PassedOver int   // other objects skipped
}

func (s Summary) plus(t Summary) Summary {
	return Summary{
		s.Objects + t.Objects, s.Bytes + t.Bytes, s.Changes + t.Changes, s.Refused + t.Refused,
		s.Unreadable + t.Unreadable, s.LeftOut + t.LeftOut, s.Damaged + t.Damaged, s.PassedOver + t.PassedOver,
	}
}

// String returns all that is not 0, on one line.
func (s Summary) String() string {
	text := fmt.Sprintf("%d objects, %d changes", s.Objects, s.Changes)
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.Refused, "of them refused"},
		{s.LeftOut, "left out by the filter"},
		{s.Unreadable, "lines unreadable"},
		{s.Damaged, "objects damaged"},
		{s.PassedOver, "other objects skipped"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.text)
		}
	}
	return text
}

// Err returns an error if something was not replayed that should have been.
func (s Summary) Err() error {
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.Refused, "changes were refused"}, {s.Unreadable, "lines are not changes"}, {s.Damaged, "objects are damaged"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	if parts == nil {
		return nil
	}
	return errors.New("replay: not everything was replayed: " + strings.Join(parts, ", ") + "; see above")
}
