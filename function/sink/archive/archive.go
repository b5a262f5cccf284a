// Package archive writes changes as objects of a bucket: a batch comes in, a verdict
// on each change goes back, and nil means that its object was finalised.
package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// archive writes changes to a bucket: each Put makes one object of the changes of
// a set in an hour, a line of JSON for each in whatever format it came.
//
//	PREFIX/namespace=shop/set=orders/dt=2026-11-22/hour=12/1795348800000-9f86d081884c7d65.ndjson.gz
//
// Day and hour are of the changes' last update time, in UTC. The name follows from
// the path and the content, and the object must not be there yet, so that a batch
// that comes again as it was changes nothing.
type archive struct {
	name     string
	client   *storage.Client
	bucket   *storage.BucketHandle
	prefix   string
	compress bool
	timeout  time.Duration
}

// none stands in a path where a change has no set or no last update time. It is
// what Hive, and BigQuery after it, read as NULL.
const none = "__HIVE_DEFAULT_PARTITION__"

// parallelWrites bounds the objects that one Put writes at once.
const parallelWrites = 16

// Parse reads the URL of a prefix, gs://BUCKET/PREFIX?format=ndjson&compression=gzip.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	bucket, prefix := u.Host, strings.Trim(u.Path, "/")
	if bucket == "" {
		return sink.Spec{}, errors.New("write gs://BUCKET/PREFIX")
	}
	q.Word("format", "ndjson", "ndjson")
	compress := q.Word("compression", "none", "none", "gzip") == "gzip"
	return sink.Spec{New: func(ctx context.Context) (sink.Sink, error) {
		client, err := storage.NewClient(ctx)
		if err != nil {
			return nil, err
		}
		return &archive{name: u.String(), client: client, bucket: client.Bucket(bucket), prefix: prefix, compress: compress, timeout: o.Timeout}, nil
	}}, q.End()
}

// Put implements [sink.Sink]. It waits until every object is finalised.
func (s *archive) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	batch := b.Changes
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	objects, verdicts := s.partition(batch)
	errs := make([]error, len(objects))
	var writing errgroup.Group
	writing.SetLimit(parallelWrites)
	for i, o := range objects {
		writing.Go(func() error {
			errs[i] = s.write(ctx, o)
			return nil
		})
	}
	_ = writing.Wait() // the errors are in errs, each with its object
	for i, o := range objects {
		for _, change := range o.changes {
			verdicts.Set(len(batch), change, errs[i])
		}
	}
	return verdicts
}

// object is what becomes one object in the bucket.
type object struct {
	folder  string
	changes []int // in the batch
	lut     int64 // the earliest of the changes'
	lines   []byte
}

// partition sorts the changes into objects, which keep the order of the batch. A
// change that JSON has no form for is in none, and has its verdict.
func (s *archive) partition(batch []format.Parsed) (objects []*object, verdicts sink.Verdicts) {
	byFolder := map[string]*object{}
	for i := range batch {
		p := &batch[i]
		folder := path.Join(s.prefix, folderOf(&p.Change))
		o := byFolder[folder]
		if o == nil {
			o = &object{folder: folder, lut: math.MaxInt64}
			byFolder[folder] = o
		}
		lines, err := p.AppendLine(o.lines)
		if err != nil {
			verdicts.Set(len(batch), i, fmt.Errorf("archive in %s: %w", s.name, err))
			continue
		}
		if len(o.changes) == 0 {
			objects = append(objects, o)
		}
		o.changes = append(o.changes, i)
		o.lut = min(o.lut, p.Change.LUT)
		o.lines = append(lines, '\n')
	}
	return objects, verdicts
}

// folderOf returns the hive path of a change.
func folderOf(c *change.Change) string {
	day, hour := none, none
	if c.LUT > 0 {
		t := time.UnixMilli(c.LUT).UTC()
		day, hour = t.Format(time.DateOnly), t.Format("15")
	}
	set := none
	if c.Set != "" {
		set = escape(c.Set)
	}
	return fmt.Sprintf("namespace=%s/set=%s/dt=%s/hour=%s", escape(c.Namespace), set, day, hour)
}

// escape makes a name a part of a path: what is no letter, digit, dot, dash,
// underscore or tilde is percent-encoded.
func escape(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "+", "%20") }

// objectName returns the name that follows from the object's content.
func (s *archive) objectName(o *object) string {
	const hashBytes = 16
	sum := sha256.Sum256(o.lines)
	suffix := ".ndjson"
	if s.compress {
		suffix += ".gz"
	}
	return fmt.Sprintf("%s/%013d-%x%s", o.folder, o.lut, sum[:hashBytes], suffix)
}

// write makes the object, unless it is there already.
func (s *archive) write(ctx context.Context, o *object) error {
	content, mediaType := o.lines, "application/x-ndjson"
	if s.compress {
		content, mediaType = zip(o.lines), "application/gzip"
	}
	name := s.objectName(o)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a writer that is not closed leaves nothing behind
	w := s.bucket.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType = mediaType
	w.ChunkSize = 0 // one request
	w.CRC32C, w.SendCRC32C = crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)), true
	if _, err := w.Write(content); err != nil {
		cancel()
		return fmt.Errorf("write %s in %s: %w", name, s.name, errors.Join(err, w.Close()))
	}
	if err := w.Close(); err != nil && !isThere(err) {
		return fmt.Errorf("write %s in %s: %w", name, s.name, err)
	}
	return nil
}

// isThere reports the error of a precondition that was not met: the same content
// was written before.
func isThere(err error) bool {
	const preconditionFailed = 412
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == preconditionFailed
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		panic("sink: compression into memory failed: " + err.Error())
	}
	return slices.Clip(out.Bytes())
}

// Close implements [sink.Sink].
func (s *archive) Close() error { return s.client.Close() }
