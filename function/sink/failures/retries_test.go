package failures

import (
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/format"
)

// Retries that would exceed the limit allow nothing until their pause is over. Then nothing
// is pending.
func TestRetries_limit(t *testing.T) {
	changes, now := 0, time.Unix(1_800_000_000, 0)
	lanes := []Retries{NewRetries(&changes), NewRetries(&changes)}
	until := now.Add(time.Second)
	for i := range maxPending + 10 {
		lanes[0].Expect([]ID{{uint64(i + 1), 1}}, until)
	}
	if changes != maxPending || len(lanes[0].records) != maxPending {
		t.Errorf("%d changes of %d records are pending", changes, len(lanes[0].records))
	}
	stranger := []ID{{1 << 40, 1}}
	if lanes[0].Allows(stranger, now) || lanes[0].Allows([]ID{{1, 1}}, now) {
		t.Error("Retries over the limit allow changes")
	}
	if !lanes[1].Allows(stranger, now) {
		t.Error("other Retries allow nothing either")
	}
	if !lanes[0].Allows(stranger, until) || !lanes[0].IsEmpty(until) || changes != 0 {
		t.Errorf("%d changes are pending after the pause", changes)
	}
}

// Each record expires in its own time; one that fails again expires later.
func TestRetries_expireOneByOne(t *testing.T) {
	changes, now := 0, time.Unix(1_800_000_000, 0)
	r := NewRetries(&changes)
	after := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	r.Expect([]ID{{1, 1}, {2, 1}}, after(2))
	r.Expect([]ID{{2, 2}}, after(4))
	for _, tt := range []struct {
		at      int
		record  uint64
		allowed bool
	}{{1, 1, false}, {1, 2, false}, {2, 1, true}, {3, 2, false}, {4, 2, true}} {
		if allowed := r.Allows([]ID{{tt.record, 9}}, after(tt.at)); allowed != tt.allowed {
			t.Errorf("record %d after %d s: allowed %v", tt.record, tt.at, allowed)
		}
	}
	if changes != 0 {
		t.Errorf("%d changes are pending at the end", changes)
	}
}

// Changes of unknown records are told apart by their bytes, and are not waited for.
func TestIDOf_unknownRecord(t *testing.T) {
	a, b := IDOf(&format.Parsed{Data: []byte("a")}), IDOf(&format.Parsed{Data: []byte("b")})
	if a.Record != 0 || b.Record != 0 || a == b || a != IDOf(&format.Parsed{Data: []byte("a")}) {
		t.Errorf("IDs %v and %v", a, b)
	}
	var changes int
	r, now := NewRetries(&changes), time.Now()
	r.Expect([]ID{a}, now.Add(time.Minute))
	if changes != 0 || !r.Allows([]ID{b}, now) {
		t.Errorf("%d changes are waited for", changes)
	}
}

// Each change counts in the content of a message, and its place.
func TestContent(t *testing.T) {
	a, b, c := ID{1, 5}, ID{2, 7}, ID{3, 9}
	seen := map[uint64]bool{}
	for _, ids := range [][]ID{{a}, {b}, {a, b}, {b, a}, {a, c}, {a, b, c}} {
		if content := Content(ids); seen[content] {
			t.Errorf("%v has the content of another", ids)
		} else {
			seen[content] = true
		}
	}
}
