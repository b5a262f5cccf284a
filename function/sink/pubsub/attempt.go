package pubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// backoff is between attempts of a request; each pause is drawn from none to what
// it has grown to.
var backoff = gax.Backoff{Initial: 50 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2}

// mostRefused is how many messages are believed to be refused for what they hold,
// as long as none between them is taken. Where more are, it is not the data.
const mostRefused = 8

// evidence tells refusals for what a message holds from those for how things are
// set up: a topic with another schema refuses everything.
type evidence struct {
	taken   bool // the topic has taken a message
	refused int  // how many it has refused since
}

// search finds the messages of a request that the topic refuses for good.
type search struct {
	p       *publisher
	r       *request
	settled int
	refused []int // since the last message that was taken
	fate    fate
}

// publish publishes a request.
func (p *publisher) publish(r *request) fate {
	s := search{p: p, r: r}
	err := s.publish(0, r.load.messages)
	s.fate.settled, s.fate.err = s.settled, err
	if len(s.refused) > 0 {
		s.conclude()
	}
	return s.fate
}

// publish publishes messages from to to. Where the topic refuses them it takes them
// by halves, until those that it refuses stand alone.
func (s *search) publish(from, to int) error {
	err := s.p.try(s.r, from, to)
	switch {
	case err == nil:
		s.settled = to
		s.taken()
		return nil
	case status.Code(err) != codes.InvalidArgument:
		return err
	case to-from == 1:
		s.fate.refusal = err
		s.refused = append(s.refused, from)
		s.settled = to
		if len(s.refused) > mostRefused || s.p.packed != "" {
			return err
		}
		return nil
	}
	middle := (from + to) / 2
	if err := s.publish(from, middle); err != nil {
		return err
	}
	return s.publish(middle, to)
}

// taken notes that the topic takes messages, so that it was the data of those that
// it has refused.
func (s *search) taken() {
	s.fate.refused = append(s.fate.refused, s.refused...)
	s.refused = s.refused[:0]
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.evidence = evidence{taken: true}
	s.p.trouble = nil
}

// conclude decides what refusals mean after which the topic took nothing: as many
// as are believed are for good, the next one and all behind it are tried again.
func (s *search) conclude() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	believed := 0
	if e := &s.p.evidence; e.taken && s.p.packed == "" {
		believed = min(mostRefused-e.refused, len(s.refused))
		e.refused += believed
	}
	s.fate.refused = append(s.fate.refused, s.refused[:believed]...)
	if believed < len(s.refused) {
		s.fate.settled = s.refused[believed]
		s.fate.err = fmt.Errorf("%w; as long as the topic takes nothing else, its settings, such as a schema, are the likely reason", s.fate.refusal)
	}
}

// try sends messages from to to until there is an answer that more attempts would
// not change, or nobody waits for it any longer.
func (p *publisher) try(r *request, from, to int) error {
	pauses := backoff
	for {
		err := p.send(r, from, to)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("publish to %s: %w", p.url, err)
		if r.ctx.Err() != nil || !mayPass(status.Code(err)) {
			return err
		}
		p.note(err)
		if gax.Sleep(r.ctx, pauses.Pause()) != nil {
			return err
		}
	}
}

// send makes one attempt, which has so little of the time there is that another can
// follow one that is never answered.
func (p *publisher) send(r *request, from, to int) error {
	ctx, cancel := context.WithTimeout(r.ctx, p.timeout/3)
	defer cancel()
	bytes, err := p.topic.publish(ctx, r, from, to)
	p.metrics.request(status.Code(err), to-from, bytes)
	return err
}

// note keeps what an answer told, for those that stop waiting.
func (p *publisher) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err
}

// mayPass reports whether a failure may pass by itself. One that does not is no
// fault of the data either: what is set up is missing or forbidden.
func mayPass(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown, codes.Canceled:
		return true
	}
	return false
}
