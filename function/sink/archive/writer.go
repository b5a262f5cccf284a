package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Bucket creates objects in a bucket of a cloud.
type Bucket interface {
	// Create makes one attempt to create an object that must not exist yet.
	Create(ctx context.Context, o Object) (Outcome, error)

	// Close is called after the last Create has returned.
	Close() error
}

// Object is an object to be created.
type Object struct {
	Name      string
	MediaType string
	Metadata  map[string]string
	Content   [][]byte // in this order
	CRC32C    uint32   // of the content
}

// Outcome is what is known after an attempt to create an object.
type Outcome int

const (
	Failed    Outcome = iota // it does not exist, and another attempt will not help soon
	Throttled                // it does not exist, but another attempt may help at once
	Unknown                  // it may exist, or come to exist; another attempt may help at once
	Created                  // it exists
	Exists                   // it existed before
)

// writer creates objects, with retries.
type writer struct {
	url     string
	timeout time.Duration
	bucket  Bucket
	metrics *metrics
	writes  semaphore
}

// maxWrites is how many objects are written at once. A write of a small object takes the
// cloud some 50 to 200 ms, whatever else is being written, and a request may have thousands
// of folders: this many let it be answered in time.
const maxWrites = 256

// Pauses between two attempts of a write.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// write creates the object, unless it exists already. It retries until ctx is done or
// another attempt would not help soon.
func (w *writer) write(ctx context.Context, o *object) (Outcome, error) {
	if err := w.writes.acquire(ctx); err != nil {
		return Failed, w.wrap(o, err)
	}
	defer w.writes.release()
	began, worst := time.Now(), Failed
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		out, err := w.attempt(ctx, o)
		if out == Unknown {
			worst = Unknown
		}
		switch {
		case out == Created || out == Exists:
			w.metrics.done(o, out, time.Since(began))
			return out, nil
		case out == Failed || !sleep(ctx, pause/2+rand.N(pause)): //nolint:gosec // the random pause spreads load
			w.metrics.done(o, Failed, time.Since(began))
			return worst, w.wrap(o, err)
		}
	}
}

// attempt makes one attempt. It takes two thirds of a Put's time at most, so that one that
// hangs leaves time for another.
//
// Compressed content has a media type and a suffix that say so, and no Content-Encoding:
// Cloud Storage would decompress it for some readers and not for others, and its size and
// checksum would not be those of what they read.
func (w *writer) attempt(ctx context.Context, o *object) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout*2/3)
	defer cancel()
	return w.bucket.Create(ctx, Object{Name: o.name, MediaType: o.encoding.mediaType, Metadata: o.metadata(), Content: o.content, CRC32C: o.crc})
}

func (w *writer) wrap(o *object, err error) error {
	return fmt.Errorf("write %s in %s: %w", o.name, w.url, err)
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

// program returns the name and version of the program, for the metadata of objects.
var program = sync.OnceValue(func() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	return "aerosink/" + version
})
