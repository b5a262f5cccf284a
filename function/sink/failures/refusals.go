package failures

import (
	"maps"
	"time"
)

// Refusals remembers the messages that a service refused alone, in a request in which it then
// took no other. Such a message is retried. Once it has been refused several times, and the
// service has taken another each time in between, it refuses the message for what it holds.
// The zero Refusals remember nothing.
type Refusals struct {
	taken    time.Time          // when the newest request was sent that the service has taken
	messages map[uint64]refusal // by the hash of the data
	swept    time.Time          // when old ones were last removed
}

// refusal is how often a message was refused.
type refusal struct {
	times int // with another taken in between
	last  time.Time
}

const (
	// enoughRefusals is how often a message has to be refused. Two would do if a service
	// refused everything only once in a while.
	enoughRefusals = 3

	// What is forgotten is held back for longer.
	maxRefusals   = 10_000
	maxRefusalAge = time.Minute
)

// Take notes that the service has taken a request that was sent at that time.
func (r *Refusals) Take(sent time.Time) {
	if sent.After(r.taken) {
		r.taken = sent
	}
}

// Taken returns when the newest request was sent that the service has taken.
func (r *Refusals) Taken() time.Time { return r.taken }

// Forget forgets a message that the service has taken.
func (r *Refusals) Forget(content uint64) { delete(r.messages, content) }

// Add adds a refusal of a message. Before the message was sent, the service had taken another
// that was sent at the time taken. It reports whether that is enough.
func (r *Refusals) Add(content uint64, taken, now time.Time) bool {
	r.sweep(now)
	known, ok := r.messages[content]
	switch {
	case !ok && len(r.messages) >= maxRefusals:
		return false
	case !ok || now.Sub(known.last) > maxRefusalAge:
		known = refusal{1, now}
	case known.last.Before(taken):
		known = refusal{known.times + 1, now}
	}
	if r.messages == nil {
		r.messages = map[uint64]refusal{}
	}
	r.messages[content] = known
	return known.times >= enoughRefusals
}

// IsEmpty reports whether nothing is remembered.
func (r *Refusals) IsEmpty(now time.Time) bool {
	r.sweep(now)
	return len(r.messages) == 0
}

// sweep removes what is too old, now and then.
func (r *Refusals) sweep(now time.Time) {
	if len(r.messages) == 0 || now.Sub(r.swept) < maxRefusalAge/10 {
		return
	}
	r.swept = now
	maps.DeleteFunc(r.messages, func(_ uint64, known refusal) bool { return now.Sub(known.last) > maxRefusalAge })
}
