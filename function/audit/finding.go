package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// Finding is a record about which the database and the archive do not agree. It has neither
// user keys nor bins.
type Finding struct {
	Kind      Kind     `json:"kind"`
	Namespace string   `json:"namespace"`
	Set       string   `json:"set"`
	Digest    []byte   `json:"digest"` // 20 bytes; Base64 in JSON
	Partition int      `json:"partition"`
	Database  *Version `json:"database"` // nil: it does not have the record
	Archive   *Version `json:"archive"`  // nil: it has nothing of the record
}

// Version is what the database or the archive has of a record.
type Version struct {
	Op         string `json:"op"`         // as of [change.Op.String]
	Generation uint32 `json:"generation"` // 0 if unknown
	LUT        int64  `json:"lut"`        // Unix milliseconds; 0 if unknown
	Expiry     *int64 `json:"expiry"`     // Unix seconds, 0 never; nil if unknown, or a delete

	Object   string `json:"object,omitempty"`   // of the archive: the object or file that has it
	Position int    `json:"position,omitempty"` // of the change among those of the object and its unreadable lines, from 1
}

// newFinding returns the finding of that kind about p.
func newFinding(kind Kind, namespace string, p pair) Finding {
	digest := p.digest()
	f := Finding{Kind: kind, Namespace: namespace, Set: p.set(), Digest: digest[:], Partition: digest.Partition()}
	if s := p.State; s != nil {
		f.Archive = &Version{Op: s.Version.Op.String(), Generation: s.Version.Generation, LUT: s.Version.LUT, Object: s.Object, Position: s.Position}
		if s.alive() && s.Expiry != change.ExpiryUnknown {
			expiry := s.Expiry // s may be overwritten
			f.Archive.Expiry = &expiry
		}
	}
	if r := p.Record; r != nil {
		expiry := r.Expiry
		f.Database = &Version{Op: change.Write.String(), Generation: r.Generation, LUT: r.LUT, Expiry: &expiry}
	}
	return f
}

// String returns the finding on one line, for people.
func (f *Finding) String() string {
	return fmt.Sprintf("%-10s  set=%q digest=%s  database: %s  archive: %s", f.Kind, f.Set, change.Digest(f.Digest), f.Database, f.Archive)
}

// String returns the version for people, "nothing" for nil.
func (v *Version) String() string {
	if v == nil {
		return "nothing"
	}
	parts := []string{v.Op}
	if v.Generation > 0 {
		parts = append(parts, fmt.Sprintf("generation %d", v.Generation))
	}
	if v.LUT > 0 {
		parts = append(parts, "of "+time.UnixMilli(v.LUT).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if v.Expiry != nil && *v.Expiry > 0 {
		parts = append(parts, "until "+time.Unix(*v.Expiry, 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}
