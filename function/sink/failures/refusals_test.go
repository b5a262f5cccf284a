package failures

import (
	"testing"
	"time"
)

// step is a refusal of a message, or that the service takes a request.
type step struct {
	at     time.Duration
	taken  bool
	enough bool // of a refusal
}

// A refusal counts if the service has taken a request since the last that did, and if that was
// sent before the message.
func TestRefusals_add(t *testing.T) {
	const second = time.Second
	for name, steps := range map[string][]step{
		"three times, others taken in between":  {{at: 1 * second}, {at: 2 * second, taken: true}, {at: 3 * second}, {at: 4 * second, taken: true}, {at: 5 * second, enough: true}, {at: 6 * second, enough: true}},
		"many times, none taken":                {{at: 0, taken: true}, {at: 1 * second}, {at: 2 * second}, {at: 3 * second}, {at: 4 * second}},
		"many times, one taken":                 {{at: 1 * second}, {at: 2 * second, taken: true}, {at: 3 * second}, {at: 4 * second}, {at: 5 * second}},
		"too long in between":                   {{at: 1 * second}, {at: 2 * second, taken: true}, {at: 3 * second}, {at: 4 * second, taken: true}, {at: 64 * second}},
		"taken, but sent before the refusal":    {{at: 1 * second}, {at: 1 * second, taken: true}, {at: 2 * second}, {at: 2 * second, taken: true}, {at: 3 * second}},
		"taken several times, and once enough":  {{at: 1 * second}, {at: 2 * second, taken: true}, {at: 3 * second, taken: true}, {at: 4 * second}, {at: 5 * second}},
		"one that was sent earlier comes later": {{at: 2 * second, taken: true}, {at: 1 * second, taken: true}, {at: 3 * second}, {at: 4 * second}},
	} {
		var r Refusals
		began := time.Unix(1_800_000_000, 0)
		for i, s := range steps {
			now := began.Add(s.at)
			if s.taken {
				r.Take(now)
			} else if enough := r.Add(1, r.taken, now); enough != s.enough {
				t.Errorf("%s: step %d: %v", name, i, enough)
			}
		}
	}
}

// There is a limit to what is remembered, and nothing is for long.
func TestRefusals_limits(t *testing.T) {
	var r Refusals
	now := time.Unix(1_800_000_000, 0)
	for i := range uint64(maxRefusals + 10) {
		r.Add(i, time.Time{}, now)
	}
	if n := len(r.messages); n != maxRefusals {
		t.Errorf("%d messages, want %d", n, maxRefusals)
	}
	r.Forget(0)
	if r.IsEmpty(now.Add(maxRefusalAge)) || len(r.messages) != maxRefusals-1 {
		t.Errorf("%d messages, want %d", len(r.messages), maxRefusals-1)
	}
	if !r.IsEmpty(now.Add(2 * maxRefusalAge)) {
		t.Errorf("%d messages are remembered for too long", len(r.messages))
	}
}
