package pubsub

import (
	"testing"
	"time"
)

// A lane that would exceed the limit takes nothing until its pause is over. Then nothing
// is pending.
func TestPendingRetries_limit(t *testing.T) {
	changes, now := 0, time.Unix(1_800_000_000, 0)
	lanes := newLanes(2, &changes)
	until := now.Add(time.Second)
	for i := range maxPendingRetries + 10 {
		lanes[0].retries.expect([]changeID{{uint64(i + 1), 1}}, until)
	}
	if changes != maxPendingRetries || len(lanes[0].retries.records) != maxPendingRetries {
		t.Errorf("%d changes of %d records are pending", changes, len(lanes[0].retries.records))
	}
	stranger := []changeID{{1 << 40, 1}}
	if lanes[0].retries.allows(stranger, now) || lanes[0].retries.allows([]changeID{{1, 1}}, now) {
		t.Error("a lane over the limit takes changes")
	}
	if !lanes[1].retries.allows(stranger, now) {
		t.Error("another lane takes nothing either")
	}
	if !lanes[0].retries.allows(stranger, until) || !lanes[0].retries.isEmpty(until) || changes != 0 {
		t.Errorf("%d changes are pending after the pause", changes)
	}
}

// Each record expires in its own time; one that fails again expires later.
func TestPendingRetries_expireOneByOne(t *testing.T) {
	changes, now := 0, time.Unix(1_800_000_000, 0)
	r := &newLanes(1, &changes)[0].retries
	after := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	r.expect([]changeID{{1, 1}, {2, 1}}, after(2))
	r.expect([]changeID{{2, 2}}, after(4))
	for _, tt := range []struct {
		at      int
		record  uint64
		allowed bool
	}{{1, 1, false}, {1, 2, false}, {2, 1, true}, {3, 2, false}, {4, 2, true}} {
		if allowed := r.allows([]changeID{{tt.record, 9}}, after(tt.at)); allowed != tt.allowed {
			t.Errorf("record %d after %d s: allowed %v", tt.record, tt.at, allowed)
		}
	}
	if changes != 0 {
		t.Errorf("%d changes are pending at the end", changes)
	}
}
