package pubsub

import (
	"testing"
	"time"

	_ "github.com/aerosink/aerosink/connector/change/changetest" // the flag -update
)

// Debts have their bound: a lane that would owe more takes nothing until its pause is
// over, and then owes nothing.
func TestDebtsAreBounded(t *testing.T) {
	owed, now := 0, time.Unix(1_800_000_000, 0)
	lanes := newLanes(2, &owed)
	until := now.Add(time.Second)
	for i := range mostOwed + 10 {
		lanes[0].debts.owe([]mark{{uint64(i + 1), 1}}, until)
	}
	if owed != mostOwed || len(lanes[0].debts.records) != mostOwed {
		t.Errorf("%d changes of %d records are owed", owed, len(lanes[0].debts.records))
	}
	stranger := []mark{{1 << 40, 1}}
	if lanes[0].debts.due(stranger, now) || lanes[0].debts.due([]mark{{1, 1}}, now) {
		t.Error("a lane without room takes changes")
	}
	if !lanes[1].debts.due(stranger, now) {
		t.Error("another lane is shut, too")
	}
	if !lanes[0].debts.due(stranger, until) || !lanes[0].debts.none(until) || owed != 0 {
		t.Errorf("%d changes are owed after the pause", owed)
	}
}

// Each record is forgotten in its own time, and one that fails again later.
func TestDebtsEndOneByOne(t *testing.T) {
	owed, now := 0, time.Unix(1_800_000_000, 0)
	d := &newLanes(1, &owed)[0].debts
	after := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	d.owe([]mark{{1, 1}, {2, 1}}, after(2))
	d.owe([]mark{{2, 2}}, after(4))
	for _, tt := range []struct {
		at     int
		record uint64
		due    bool
	}{{1, 1, false}, {1, 2, false}, {2, 1, true}, {3, 2, false}, {4, 2, true}} {
		if due := d.due([]mark{{tt.record, 9}}, after(tt.at)); due != tt.due {
			t.Errorf("record %d after %d s: due %v", tt.record, tt.at, due)
		}
	}
	if owed != 0 {
		t.Errorf("%d are owed in the end", owed)
	}
}
