package archive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// bucket is where objects are written.
type bucket struct {
	*settings
	handle  *storage.BucketHandle
	metrics *metrics
	turns   turns
}

// parallelWrites bounds the objects that are written at once.
const parallelWrites = 32

// What is between two tries of a write.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = time.Second
)

// write makes the object, unless it is there already. It tries until ctx is done or
// the answer is one that will not change soon.
func (b *bucket) write(ctx context.Context, o *object) (outcome, error) {
	if err := b.turns.take(ctx); err != nil {
		return failed, b.fault(o, err)
	}
	defer b.turns.give()
	began, worst := time.Now(), failed
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := b.upload(ctx, o)
		out := outcomeOf(err)
		if out == doubted {
			worst = doubted
		}
		switch {
		case out == written || out == met:
			b.metrics.done(o, out, time.Since(began))
			return out, nil
		case !mayPass(err) || !sleep(ctx, pause/2+rand.N(pause)): //nolint:gosec // chance spreads load, and guards nothing
			b.metrics.done(o, failed, time.Since(began))
			return worst, b.fault(o, err)
		}
	}
}

func (b *bucket) fault(o *object, err error) error {
	return fmt.Errorf("write %s in %s: %w", o.name, b.url, err)
}

// upload sends the object in one request. A request that hangs leaves time for another.
//
// What is compressed has a media type and a suffix that say so, and no
// Content-Encoding: Cloud Storage would inflate it for some readers and not for
// others, and its size and checksum would then be those of something else.
func (b *bucket) upload(ctx context.Context, o *object) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout*2/3)
	defer cancel() // a writer that is not closed leaves nothing behind
	w := b.handle.Object(o.name).If(storage.Conditions{DoesNotExist: true}).Retryer(storage.WithPolicy(storage.RetryNever)).NewWriter(ctx)
	w.ContentType = o.encoding.mediaType
	w.Metadata = o.metadata()
	w.ChunkSize = 0 // one request
	w.CRC32C, w.SendCRC32C = o.crc, true
	for _, content := range o.content {
		if _, err := w.Write(content); err != nil {
			cancel()
			_ = w.Close() // it says the same
			return err
		}
	}
	return w.Close()
}

// What Cloud Storage answers (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
const (
	requestTimeout     = 408
	preconditionFailed = 412
	tooManyRequests    = 429
	serverErrors       = 500

	conditionNotMet = "conditionNotMet" // reason of a 412; another is a policy of the organisation
)

// outcomeOf says what is known after an upload.
func outcomeOf(err error) outcome {
	var e *googleapi.Error
	switch {
	case err == nil:
		return written
	case !errors.As(err, &e) || e.Code >= serverErrors || e.Code == requestTimeout:
		return doubted
	case e.Code == preconditionFailed && slices.ContainsFunc(e.Errors, isOurCondition):
		return met
	}
	return failed
}

// isOurCondition reports whether the object must be there already, for that is all
// that a write has for a condition.
func isOurCondition(item googleapi.ErrorItem) bool { return item.Reason == conditionNotMet }

// mayPass reports whether trying again at once could help.
func mayPass(err error) bool {
	var e *googleapi.Error
	return outcomeOf(err) == doubted || errors.As(err, &e) && e.Code == tooManyRequests
}

// sleep reports whether d passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// writer returns the program and version that objects say they were written by.
var writer = sync.OnceValue(func() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	return "aerosink/" + version
})
