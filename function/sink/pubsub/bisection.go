package pubsub

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxRefused is how many messages in a row may be refused for what they hold. If the
// topic refuses more without taking one in between, the cause is not the data.
const maxRefused = 8

// refusalCount tells messages that are refused for what they hold from a topic that
// refuses everything, for example because it has another schema.
type refusalCount struct {
	accepted bool // the topic has taken a message
	refused  int  // messages refused since
}

// bisection publishes a request and finds the messages that the topic refuses for
// good, by halving it.
type bisection struct {
	p       *publisher
	request *publishRequest
	done    int   // messages published or refused, from the first
	refused []int // since the last message that the topic took
	result  requestResult
}

// publish publishes the messages [from, to). If the topic refuses them, it publishes each
// half by itself, until the refused messages are found.
func (b *bisection) publish(from, to int) error {
	err := b.p.try(b.request, from, to)
	switch {
	case err == nil:
		b.done = to
		b.accepted()
		return nil
	case status.Code(err) != codes.InvalidArgument:
		return err
	case to-from == 1:
		b.result.refusal = err
		b.refused = append(b.refused, from)
		b.done = to
		if len(b.refused) > maxRefused || b.p.packed != "" {
			return err
		}
		return nil
	}
	middle := (from + to) / 2
	if err := b.publish(from, middle); err != nil {
		return err
	}
	return b.publish(middle, to)
}

// accepted notes that the topic takes messages, so the refused ones were refused for
// their data.
func (b *bisection) accepted() {
	b.result.refused = append(b.result.refused, b.refused...)
	b.refused = b.refused[:0]
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	b.p.refusals = refusalCount{accepted: true}
	b.p.lastErr = nil
}

// conclude decides about refusals after which the topic took nothing. Up to maxRefused
// in all are permanent; the next one and all behind it are to be retried.
func (b *bisection) conclude() {
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	permanent := 0
	if c := &b.p.refusals; c.accepted && b.p.packed == "" {
		permanent = min(maxRefused-c.refused, len(b.refused))
		c.refused += permanent
	}
	b.result.refused = append(b.result.refused, b.refused[:permanent]...)
	if permanent < len(b.refused) {
		b.result.done = b.refused[permanent]
		b.result.err = fmt.Errorf("%w; the topic accepts no other message either, so check its settings, such as its schema", b.result.refusal)
	}
}
