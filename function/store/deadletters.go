package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/function/sink"
)

// deadLetters stores the changes that can never be stored in the sinks.
type deadLetters struct {
	target   *target
	refusals report.Refusals // requests in a row whose changes all became dead letters
}

// deadLetterBatch is a batch of dead letters and the verdicts on them.
type deadLetterBatch struct {
	sink.Batch
	verdicts sink.Verdicts
}

// put stores the changes with a permanent verdict as dead letters. If that fails, it replaces
// their verdict with the failure, so that they are retried. It does the same after too many
// requests in a row whose changes were all refused. put returns nil if it stored nothing. It
// also returns the sink's panic.
func (d *deadLetters) put(ctx context.Context, r Request, b sink.Batch, verdicts sink.Verdicts) (*deadLetterBatch, *SinkPanic) {
	dead := d.permanent(len(b.Changes), verdicts)
	if len(dead) == 0 {
		return nil, nil
	}
	if d.refusals.TooMany() {
		for _, i := range dead {
			verdicts[i] = tooManyRefused(verdicts[i])
		}
		return nil, nil
	}
	batch := deadLetterBatch{Batch: sink.Batch{TraceParent: b.TraceParent}}
	for _, i := range dead {
		batch.Changes = append(batch.Changes, b.Changes[i])
		batch.DeadLetters = append(batch.DeadLetters, r.deadLetter(&b.Changes[i], verdicts[i]))
	}
	var panicked *SinkPanic // a dead letter of a repeated request may be stored already
	batch.verdicts, panicked = d.target.put(ctx, batch.Batch, fingerprintsOf(batch.Changes))
	all := len(dead) == len(b.Changes)
	for n, err := range batch.verdicts {
		if err != nil {
			verdicts[dead[n]], all = notStored(err), false
		}
	}
	if all {
		d.refusals.Refused()
	}
	return &batch, panicked
}

// permanent returns the indexes of the changes with a permanent verdict, in a request of n
// changes. If any change was stored, it resets the count of refusals.
func (d *deadLetters) permanent(n int, verdicts sink.Verdicts) (dead []int) {
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
		d.refusals.Accepted()
	}
	return dead
}

// notStored returns the verdict on a change whose dead letter could not be stored. It can
// always be retried.
func notStored(err error) error {
	if change.IsPermanent(err) {
		return errors.New("dead letters: " + err.Error())
	}
	return fmt.Errorf("dead letters: %w", err)
}

// tooManyRefused returns the verdict on a change after too many refusals in a row.
func tooManyRefused(verdict error) error {
	return fmt.Errorf("%s; all changes of the last %d requests were refused, so the configuration is probably wrong: "+
		"check AVRO_SCHEMA, METADATA_KEY and the sinks; no more dead letters are written until a change is stored",
		verdict, report.MaxRefusals)
}
