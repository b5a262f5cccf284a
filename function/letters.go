package function

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aerosink/aerosink/connector/report"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
)

// arrival is a request that has brought changes.
type arrival struct {
	mediaType string
	id        string // of the request, for who looks for it
	received  time.Time
}

// burial is a batch of dead letters and the verdicts on them.
type burial struct {
	sink.Batch
	verdicts sink.Verdicts
}

// bury stores the changes with a permanent verdict in the dead letters. Where that
// fails the verdict becomes why, which is worth trying again, and so it does where
// it is doubtful that it is the changes' own fault. Nil means that there was
// nothing to store, or nowhere. What the dead letters panic with is returned too.
func (s *stores) bury(ctx context.Context, a arrival, b sink.Batch, verdicts sink.Verdicts) (*burial, *fall) {
	dead := s.permanent(len(b.Changes), verdicts)
	if s.letters == nil || len(dead) == 0 {
		return nil, nil
	}
	if s.refusals.TooMany() {
		for _, i := range dead {
			verdicts[i] = notBelieved(verdicts[i])
		}
		return nil, nil
	}
	letters := burial{Batch: sink.Batch{TraceParent: b.TraceParent}}
	for _, i := range dead {
		letters.Changes = append(letters.Changes, b.Changes[i])
		letters.DeadLetters = append(letters.DeadLetters, a.letter(&b.Changes[i], verdicts[i]))
	}
	var fell *fall // one that came again may be there already
	letters.verdicts, fell = s.letters.put(ctx, letters.Batch, fingerprintsOf(letters.Changes))
	everything := len(dead) == len(b.Changes)
	for n, err := range letters.verdicts {
		if err != nil {
			verdicts[dead[n]], everything = notBuried(err), false
		}
	}
	if everything {
		s.refusals.Refused()
	}
	return &letters, fell
}

// letter says why p is a dead letter.
func (a *arrival) letter(p *format.Parsed, reason error) sink.DeadLetter {
	mediaType := formats.MediaTypeOf(p.Format)
	if mediaType == "" {
		mediaType = a.mediaType
	}
	return sink.DeadLetter{MediaType: mediaType, Reason: reason.Error(), Offset: p.Offset, Request: a.id, Received: a.received}
}

// notBuried returns the verdict on a change whose letter could not be stored, for
// whatever reason: worth trying again.
func notBuried(err error) error {
	if change.IsPermanent(err) {
		return errors.New("dead letters: " + err.Error())
	}
	return fmt.Errorf("dead letters: %w", err)
}

// permanent returns the indexes of the changes with a permanent verdict, of a request of
// n changes. A stored change ends the row of refusals.
func (s *stores) permanent(n int, verdicts sink.Verdicts) (dead []int) {
	stored := n
	for i, err := range verdicts {
		if err == nil {
			continue
		}
		stored--
		if change.IsPermanent(err) {
			dead = append(dead, i)
		}
	}
	if stored > 0 {
		s.refusals.Accepted()
	}
	return dead
}

func notBelieved(verdict error) error {
	return fmt.Errorf("%s; so it was with all changes of the last %d requests, so that the set-up must be wrong: "+
		"look at %s and %s, and at the sinks; nothing more goes to the dead letters until a change is stored",
		verdict, report.MaxRefusals, avroSchema.Name, metadataKey.Name)
}
