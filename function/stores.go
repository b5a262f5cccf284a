package function

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/aerosink/aerosink/connector/report"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// stores are the places that changes go to, open, and what was learnt from those
// that went there.
type stores struct {
	config   *Config
	sinks    []*place
	letters  *place          // nil is none
	refusals report.Refusals // requests of which everything became a dead letter
	metrics  *metrics
}

// open opens the places that are not open yet.
func (s *stores) open(ctx context.Context) error {
	for _, spec := range s.config.Sinks[len(s.sinks):] {
		p, err := open(ctx, spec)
		if err != nil {
			return err
		}
		s.sinks = append(s.sinks, p)
	}
	if s.config.DeadLetters == nil || s.letters != nil {
		return nil
	}
	p, err := open(ctx, *s.config.DeadLetters)
	s.letters = p
	return err
}

func (s *stores) close() error {
	var errs []error
	for _, p := range s.all() {
		errs = append(errs, p.sink.Close())
	}
	return errors.Join(errs...)
}

// all returns every place that is open, that of the dead letters too.
func (s *stores) all() []*place {
	if s.letters == nil {
		return s.sinks
	}
	return append(s.sinks[:len(s.sinks):len(s.sinks)], s.letters)
}

// take makes the changes of a request durable and returns the answer to it; nil is
// a 200 that has nothing to say. It panics with a fall when a place panics.
func (s *stores) take(ctx context.Context, a arrival, b sink.Batch) error {
	var prints []fingerprint
	if s.remembers() {
		prints = fingerprintsOf(b.Changes)
	}
	of, fell := s.put(ctx, b, prints)
	o := outcome{changes: len(b.Changes), verdicts: worst(of, len(b.Changes)), buries: s.letters != nil}
	var buried *burial
	if fell == nil {
		buried, fell = s.bury(ctx, a, b, o.verdicts)
	}
	if fell != nil {
		s.remember(b, prints, of, buried)
		panic(fell)
	}
	s.metrics.count(b.Changes, &o)
	if o.isSettled() {
		s.forget(prints)
	} else {
		s.remember(b, prints, of, buried)
	}
	return o.answer()
}

// remember notes what each place has of a request that will come again.
func (s *stores) remember(b sink.Batch, prints []fingerprint, of []sink.Verdicts, buried *burial) {
	if prints == nil {
		prints = fingerprintsOf(b.Changes)
	}
	for i, p := range s.sinks {
		p.remember(b, prints, of[i])
	}
	if buried != nil {
		s.letters.remember(buried.Batch, fingerprintsOf(buried.Changes), buried.verdicts)
	}
}

func (s *stores) forget(prints []fingerprint) {
	for _, p := range s.all() {
		p.settled.forget(prints)
	}
}

// remembers reports whether a place has something of a request that will come again.
func (s *stores) remembers() bool {
	return slices.ContainsFunc(s.all(), func(p *place) bool { return !p.settled.isEmpty() })
}

// put gives the batch to every sink at once and returns the verdicts of each, and
// the first panic of one.
func (s *stores) put(ctx context.Context, b sink.Batch, prints []fingerprint) ([]sink.Verdicts, *fall) {
	of := make([]sink.Verdicts, len(s.sinks))
	falls := make([]*fall, len(s.sinks))
	var putting sync.WaitGroup
	last := len(s.sinks) - 1
	for i, p := range s.sinks[:last] {
		putting.Go(func() { of[i], falls[i] = p.put(ctx, b, prints) })
	}
	of[last], falls[last] = s.sinks[last].put(ctx, b, prints)
	putting.Wait()
	for _, f := range falls {
		if f != nil {
			return of, f
		}
	}
	return of, nil
}

// worst returns the worst verdict on each of n changes; nil when all are stored
// everywhere.
func worst(of []sink.Verdicts, n int) sink.Verdicts {
	var all sink.Verdicts
	for _, verdicts := range of {
		for i, err := range verdicts {
			if all == nil || badness(err) > badness(all[i]) {
				all.Set(n, i, err)
			}
		}
	}
	return all
}

// badness orders verdicts: what is not worth trying again says nothing where
// something else is, and that there is no room says least of that.
func badness(verdict error) int {
	switch {
	case verdict == nil:
		return 0
	case change.IsPermanent(verdict):
		return 1
	case errors.Is(verdict, sink.ErrOverloaded):
		return 2
	}
	return 3
}

// parse makes changes of the body, in room as far as it goes. A body that as a whole
// cannot be read is one change that cannot, if there are dead letters that it can go
// to. What its sender can make smaller, or call by another name, is no dead letter.
func (s *stores) parse(mediaType string, body []byte, room []format.Parsed) ([]format.Parsed, error) {
	parser := s.config.Parser
	parser.Buffer = room
	changes, err := parser.Parse(mediaType, body)
	switch {
	case err == nil:
		return changes, nil
	case errors.Is(err, format.ErrMediaType):
		return room, &problem{Status: http.StatusUnsupportedMediaType, Detail: err.Error()}
	case errors.Is(err, format.ErrTooLarge):
		return room, &problem{Status: http.StatusRequestEntityTooLarge, Detail: err.Error()}
	case s.letters == nil:
		return room, &problem{Status: http.StatusBadRequest, Detail: err.Error()}
	}
	return append(room[:0], format.Parsed{Data: body, Offset: format.OffsetOf(err), Err: err}), nil
}
