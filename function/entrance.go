package function

import (
	"errors"
	"fmt"
	"strings"
)

// entrance is the way in: who may come, how much they may bring, and how slowly.
type entrance struct {
	guard  guard
	intake *intake
}

// enter returns the entrance. It needs no more of the environment than its own
// variables, so that who may not come in learns nothing of the rest.
func (r *Receiver) enter() (*entrance, error) {
	if in := r.entrance.Load(); in != nil {
		return in, nil
	}
	e := environment{get: r.getenv}
	limits, file, own := e.limits(), tokensFile.of(r.getenv), e.tokens()
	if err := errors.Join(e.faults...); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	r.entrance.CompareAndSwap(nil, &entrance{guard: newGuard(own, file, r.log), intake: newIntake(limits)})
	return r.entrance.Load(), nil
}

func (e *environment) limits() Limits {
	return Limits{
		Body: e.size(maxBody), Inflated: e.size(maxInflated), InFlight: e.size(maxInFlight), Header: int(e.size(maxHeader)),
		HeaderTimeout: e.duration(headerTime), BodyTimeout: e.duration(bodyTime),
	}
}

func (e *environment) tokens() []Token {
	text := tokens.of(e.get)
	if text == "" {
		return nil
	}
	own, err := parseTokens(strings.Split(text, ","))
	e.fault(tokens, err)
	return own
}
