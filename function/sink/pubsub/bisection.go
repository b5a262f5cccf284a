package pubsub

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function/sink/failures"
)

// maxHeldBack is how many messages of a request may be refused alone without one in between
// that the topic takes. If there are more, the cause is hardly the data.
const maxHeldBack = 8

// bisection publishes a request and finds the messages that the topic refuses for good, by
// halving it.
//
// A message that is refused alone is held back, and the later ones of its record with it.
// When the topic has taken another, it is tried again. If it is refused again, that is for
// what it holds; if not, the topic had refused everything for a while. If the topic takes no
// other, the message is to be retried, and the publisher counts its refusals.
type bisection struct {
	p        *publisher
	request  *publishRequest
	done     int    // messages tried, from the first
	refusal  error  // of the last message that was refused
	refused  []int  // messages refused for good
	heldBack []int  // messages refused alone, in order
	behind   []span // messages of their records, in order
}

// span is the messages [from, to).
type span struct{ from, to int }

// publish publishes the messages [from, to), but for those that have to wait for one that is
// held back.
func (b *bisection) publish(from, to int) error {
	for from < to {
		end, waits := b.run(from, to)
		if waits {
			b.behind = append(b.behind, span{from, end})
			b.done = max(b.done, end)
		} else if err := b.publishAll(from, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// run returns how far all messages from from on have to wait for one that is held back, or
// all do not.
func (b *bisection) run(from, to int) (end int, waits bool) {
	if len(b.heldBack) == 0 || b.p.shards == 0 {
		return to, false
	}
	records := map[uint64]bool{}
	for _, h := range b.heldBack {
		for _, id := range b.request.idsOf(h) {
			records[id.Record] = id.Record != 0
		}
	}
	waiting := func(message int) bool {
		return slices.ContainsFunc(b.request.idsOf(message), func(id failures.ID) bool { return records[id.Record] })
	}
	waits = waiting(from)
	for end = from + 1; end < to && waiting(end) == waits; end++ {
	}
	return end, waits
}

// publishAll publishes the messages [from, to). If the topic refuses them, it publishes each
// half by itself.
func (b *bisection) publishAll(from, to int) error {
	taken := b.p.lastTaken()
	err := b.p.try(b.request, from, to)
	switch {
	case err == nil:
		b.done = max(b.done, to)
		return b.settle()
	case status.Code(err) != codes.InvalidArgument:
		return err
	case to-from == 1:
		b.done = max(b.done, to)
		return b.refuse(from, taken, err)
	}
	middle := (from + to) / 2
	if err := b.publish(from, middle); err != nil {
		return err
	}
	return b.publish(middle, to)
}

// refuse notes that a message was refused alone. Before it was sent the topic had taken one
// that was sent at the time taken.
func (b *bisection) refuse(message int, taken time.Time, err error) error {
	b.refusal = err
	if b.p.refused(b.request.contentOf(message), taken) && b.p.Packed == "" {
		b.refused = append(b.refused, message)
		return nil
	}
	b.heldBack = append(b.heldBack, message)
	if len(b.heldBack) > maxHeldBack || b.p.Packed != "" {
		return err
	}
	return nil
}

// settle tries again what is held back, once the topic has taken another message, and then
// publishes what waits behind it.
func (b *bisection) settle() error {
	for len(b.heldBack) > 0 {
		message := b.heldBack[0]
		if err := b.p.try(b.request, message, message+1); status.Code(err) == codes.InvalidArgument {
			b.refusal = err
			b.refused = append(b.refused, message)
		} else if err != nil {
			return err
		}
		b.heldBack = b.heldBack[1:]
	}
	behind := b.behind
	b.behind = nil
	for i, s := range behind {
		if err := b.publish(s.from, s.to); err != nil {
			b.behind = append(b.behind, behind[i:]...)
			return err
		}
	}
	return nil
}

// result returns what became of the messages. If some are still held back, they and all
// behind the first of them are to be retried.
func (b *bisection) result(err error) requestResult {
	res := requestResult{done: b.done, refusal: b.refusal, err: err}
	for _, h := range b.heldBack {
		res.done = min(res.done, h)
	}
	for _, s := range b.behind {
		res.done = min(res.done, s.from)
	}
	if len(b.heldBack) > 0 {
		res.err = fmt.Errorf("%w; the topic has taken no other message since, so the cause may be its settings, such as its schema", b.refusal)
	}
	slices.Sort(b.refused)
	end, _ := slices.BinarySearch(b.refused, res.done) // those behind are refused once more when they come again
	res.refused = b.refused[:end]
	return res
}
