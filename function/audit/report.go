package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/plural"
)

// Report writes the outcome of an audit.
type Report struct {
	Out  io.Writer
	JSON bool      // an object a line: each finding, then {"summary":…}
	Most int       // findings that are written as text; the rest is counted
	All  io.Writer // is written all findings, an object a line; may be nil

	written, left int
}

// Finding writes a finding.
func (r *Report) Finding(f Finding) error {
	var line []byte
	if r.JSON || r.All != nil {
		var err error
		if line, err = json.Marshal(f); err != nil {
			return fmt.Errorf("write a finding: %w", err)
		}
		line = append(line, '\n')
	}
	if r.All != nil {
		if _, err := r.All.Write(line); err != nil {
			return fmt.Errorf("write a finding: %w", err)
		}
	}
	switch {
	case r.JSON:
	case r.written < r.Most:
		r.written++
		line = append([]byte(f.String()), '\n')
	default:
		r.left++
		return nil
	}
	if _, err := r.Out.Write(line); err != nil {
		return fmt.Errorf("write a finding: %w", err)
	}
	return nil
}

// jsonSummary is the summary as an object.
type jsonSummary struct {
	Since      *int64         `json:"since"`     // Unix milliseconds; null is no bound
	Watermark  int64          `json:"watermark"` // Unix milliseconds
	Complete   bool           `json:"complete"`  // all of the archive could be read
	Damaged    int            `json:"damaged"`
	Unreadable int            `json:"unreadable"`
	Database   int64          `json:"database"`
	Archive    int64          `json:"archive"`
	Deleted    int64          `json:"deleted"`
	Same       int64          `json:"same"`
	UnderWay   int64          `json:"underWay"`
	Outside    int64          `json:"outside"`
	Findings   map[Kind]int64 `json:"findings"` // all kinds
	Oldest     *int64         `json:"oldest"`   // Unix milliseconds; null if no finding can be shipped again
}

// Summary writes the summary.
func (r *Report) Summary(s *Summary) error {
	if r.JSON {
		return r.object("summary", s.json())
	}
	_, err := io.WriteString(r.Out, r.text(s))
	return err
}

// Rewinds writes the commands that repair findings of s, which were carried out or not, and
// what else there is to know and to do.
func (r *Report) Rewinds(s *Summary, rewinds []Rewind, performed bool) error {
	notes := repairNotes(s, len(rewinds) > 0, performed)
	if r.JSON {
		return r.object("repair", struct {
			Performed bool     `json:"performed"`
			Rewinds   []Rewind `json:"rewinds"`
			Notes     []string `json:"notes"`
		}{performed, append([]Rewind{}, rewinds...), append([]string{}, notes...)}) // never null
	}
	var b strings.Builder
	for _, rw := range rewinds {
		verb := "to ship them again within the hour, run on"
		if performed {
			verb = "rewound on"
		}
		fmt.Fprintf(&b, "%s %s: asinfo -v '%s'\n", verb, strings.Join(rw.Nodes, ", "), rw.Command)
	}
	for _, note := range notes {
		b.WriteString(note + "\n")
	}
	_, err := io.WriteString(r.Out, b.String())
	return err
}

// repairNotes returns what there is to know about the repair of s: there are rewinds, which
// were carried out or not.
func repairNotes(s *Summary, rewinds, performed bool) (notes []string) {
	if rewinds {
		notes = append(notes, "the function drops what it has stored in the last 10 minutes as repeated, and a fence what it has recorded as stale, even if the archive has lost it")
	}
	switch {
	case rewinds && performed:
		notes = append(notes, "when XDR has shipped all that, audit again; if the same is found, give the fence another set, restart the function, and rewind again")
	case rewinds:
		notes = append(notes, "if the archive has lost it, give the fence another set, and restart the function, before you run the commands")
	}
	if left := s.Found() - s.Findings[Missing] - s.Findings[Stale]; left > 0 {
		notes = append(notes, fmt.Sprintf("a rewind ships records and tombstones, so it does not repair %s of other kinds", plural.Of(int(left), "finding")))
	}
	return notes
}

func (r *Report) object(name string, value any) error {
	line, err := json.Marshal(map[string]any{name: value})
	if err == nil {
		_, err = r.Out.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the %s: %w", name, err)
	}
	return nil
}

func (s *Summary) json() jsonSummary {
	j := jsonSummary{
		Since: milliseconds(s.Since), Oldest: milliseconds(s.Oldest), Watermark: s.Watermark.UnixMilli(), Complete: s.Complete(), Damaged: s.Damaged, Unreadable: s.Unreadable,
		Database: s.Database, Archive: s.Archive, Deleted: s.Deleted, Same: s.Same, UnderWay: s.UnderWay, Outside: s.Outside,
		Findings: map[Kind]int64{},
	}
	for _, k := range Kinds {
		j.Findings[k.Kind] = s.Findings[k.Kind]
	}
	return j
}

// milliseconds returns t in Unix milliseconds, nil for the zero time.
func milliseconds(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// text returns the summary for people.
func (r *Report) text(s *Summary) string {
	var b strings.Builder
	if r.left > 0 {
		where := "; with -findings FILE all are kept"
		if r.All != nil {
			where = " in the file of findings"
		}
		fmt.Fprintf(&b, "and %s more%s\n", plural.Of(r.left, "finding"), where)
	}
	if r.written > 0 {
		b.WriteByte('\n')
	}
	since := ""
	if !s.Since.IsZero() {
		since = " from " + s.Since.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(&b, "compared what changed%s up to %s: %s in the database, %d in the archive\n",
		since, s.Watermark.UTC().Format(time.RFC3339), plural.Of(int(s.Database), "record"), s.Archive)
	fmt.Fprintf(&b, "%12d  the same, or deleted in both\n", s.Same)
	fmt.Fprintf(&b, "%12d  changed later, so not compared\n", s.UnderWay)
	fmt.Fprintf(&b, "%12d  expired, or changed before, so not compared\n", s.Outside)
	for _, k := range Kinds {
		if n := s.Findings[k.Kind]; n > 0 {
			fmt.Fprintf(&b, "%12d  %s: %s\n", n, k.Kind, k.Meaning)
		}
	}
	if !s.Complete() {
		fmt.Fprintf(&b, "INCOMPLETE: %s and %s of the archive cannot be read; findings may be wrong\n",
			plural.Of(s.Damaged, "object"), plural.Of(s.Unreadable, "line"))
	}
	return b.String()
}
