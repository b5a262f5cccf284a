package pubsub

import (
	"maps"
	"time"
)

// refusals remembers the messages that the topic refused alone, in a request in which it then
// took no other. Such a message is retried. Once it has been refused several times, and the
// topic has taken another each time in between, the topic refuses it for what it holds. The
// publisher's lock guards it.
type refusals struct {
	taken    time.Time          // when the newest request was sent that the topic has taken
	messages map[uint64]refusal // by the hash of the data
	swept    time.Time          // when old ones were last removed
}

// refusal is how often a message was refused.
type refusal struct {
	times int // with another taken in between
	last  time.Time
}

const (
	// enoughRefusals is how often a message has to be refused. Two would do if a topic
	// refused everything only once in a while.
	enoughRefusals = 3

	// What is forgotten is held back for longer.
	maxRefusals   = 10_000
	maxRefusalAge = time.Minute
)

// take notes that the topic has taken a request that was sent at that time.
func (r *refusals) take(sent time.Time) {
	if sent.After(r.taken) {
		r.taken = sent
	}
}

// forget forgets a message that the topic has taken.
func (r *refusals) forget(content uint64) { delete(r.messages, content) }

// add adds a refusal of a message. Before the message was sent, the topic had taken another
// that was sent at the time taken. It reports whether that is enough.
func (r *refusals) add(content uint64, taken, now time.Time) bool {
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

// isEmpty reports whether nothing is remembered.
func (r *refusals) isEmpty(now time.Time) bool {
	r.sweep(now)
	return len(r.messages) == 0
}

// sweep removes what is too old, now and then.
func (r *refusals) sweep(now time.Time) {
	if len(r.messages) == 0 || now.Sub(r.swept) < maxRefusalAge/10 {
		return
	}
	r.swept = now
	maps.DeleteFunc(r.messages, func(_ uint64, known refusal) bool { return now.Sub(known.last) > maxRefusalAge })
}
