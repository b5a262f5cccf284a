// Package gcs keeps an archive in a bucket of Cloud Storage: gs://BUCKET/PREFIX.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive"
)

// Parse parses the URL of an archive, gs://BUCKET/PREFIX?format=ndjson&compression=gzip.
// The README has a table of the parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	return archive.Parse(u, o, archive.Cloud{Open: open, Probe: probe})
}

// bucket is a bucket of Cloud Storage.
type bucket struct {
	client *storage.Client
	handle *storage.BucketHandle
}

func open(ctx context.Context, name string) (archive.Bucket, error) {
	client, err := storage.NewClient(ctx)
	if err != nil {
		return nil, err
	}
	return &bucket{client, client.Bucket(name)}, nil
}

// Create implements [archive.Bucket]. It sends the object in one request.
func (b *bucket) Create(ctx context.Context, o archive.Object) (archive.Outcome, error) {
	err := b.upload(ctx, o)
	return outcomeOf(err), err
}

func (b *bucket) upload(ctx context.Context, o archive.Object) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a writer that is not closed stores nothing
	w := b.handle.Object(o.Name).If(storage.Conditions{DoesNotExist: true}).Retryer(storage.WithPolicy(storage.RetryNever)).NewWriter(ctx)
	w.ContentType = o.MediaType
	w.Metadata = o.Metadata
	w.ChunkSize = 0 // one request
	w.CRC32C, w.SendCRC32C = o.CRC32C, true
	for _, content := range o.Content {
		if _, err := w.Write(content); err != nil {
			cancel()
			_ = w.Close() // it returns the same error
			return err
		}
	}
	return w.Close()
}

// conditionNotMet is the reason of a 412 response if our precondition failed. If an
// organisation's policy did, the reason is another.
const conditionNotMet = "conditionNotMet"

// outcomeOf returns what is known after an upload
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func outcomeOf(err error) archive.Outcome {
	var e *googleapi.Error
	switch {
	case err == nil:
		return archive.Created
	case !errors.As(err, &e) || e.Code >= http.StatusInternalServerError || e.Code == http.StatusRequestTimeout:
		return archive.Unknown
	case e.Code == http.StatusPreconditionFailed && slices.ContainsFunc(e.Errors, isPrecondition):
		return archive.Exists
	case e.Code == http.StatusTooManyRequests:
		return archive.Throttled
	}
	return archive.Failed
}

// isPrecondition reports whether the object exists already: the only precondition of a
// write is that it does not.
func isPrecondition(item googleapi.ErrorItem) bool { return item.Reason == conditionNotMet }

// Close implements [archive.Bucket].
func (b *bucket) Close() error { return b.client.Close() }

// createPermission is the only permission that an archive needs.
const createPermission = "storage.objects.create"

// probe checks that the bucket exists and may be written to.
func probe(ctx context.Context, name string) error {
	client, err := storage.NewClient(ctx)
	if err != nil {
		return fmt.Errorf("check bucket %s: %w", name, err)
	}
	defer func() { _ = client.Close() }() // nothing was written
	handle := client.Bucket(name)
	granted, err := handle.IAM().TestPermissions(ctx, []string{createPermission})
	if err != nil {
		// Emulators have buckets, but hardly any have permissions.
		if _, exists := handle.Attrs(ctx); exists == nil {
			return nil
		}
		return fmt.Errorf("check bucket %s: %w; check that it exists under this name", name, err)
	}
	if !slices.Contains(granted, createPermission) {
		return fmt.Errorf("bucket %s: no permission to write; grant roles/storage.objectCreator on it to the service account of this program", name)
	}
	return nil
}

// ReadObject returns the content of the object gs://BUCKET/NAME, which must have at most
// limit bytes. It needs roles/storage.objectViewer on the bucket.
func ReadObject(ctx context.Context, gsURL string, limit int64) (content []byte, err error) {
	u, err := url.Parse(gsURL)
	if err != nil || u.Scheme != "gs" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%q is not an object; want gs://BUCKET/NAME", gsURL)
	}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	}
	defer func() { _ = client.Close() }() // nothing was written
	r, err := client.Bucket(u.Host).Object(strings.TrimPrefix(u.Path, "/")).NewReader(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	}
	defer func() { _ = r.Close() }() // it was only read
	content, err = io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	case int64(len(content)) > limit:
		return nil, fmt.Errorf("read %s: it has more than %d bytes", gsURL, limit)
	}
	return content, nil
}
