// Package gcs reads the objects of an archive in Cloud Storage: gs://BUCKET/PREFIX.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/url"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/credentials"
	"github.com/aerosink/aerosink/function/replay/objects"
)

// bucket is a bucket of Cloud Storage. The prefix is the name of an object or a folder, so
// changes does not match changes-old. Reading needs roles/storage.objectViewer.
type bucket struct {
	client *storage.Client
	handle *storage.BucketHandle
	prefix string
}

// Open implements [objects.OpenBucket] for gs://BUCKET/PREFIX.
func Open(ctx context.Context, u *url.URL) (objects.Source, error) {
	if u.Host == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("cannot read from %q; want gs://BUCKET/PREFIX, without parameters", u)
	}
	if err := credentials.Check("STORAGE_EMULATOR_HOST"); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", u.Host, err)
	}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", u.Host, err)
	}
	return &bucket{client, client.Bucket(u.Host), strings.TrimPrefix(u.Path, "/")}, nil
}

// Close implements [objects.Source].
func (b *bucket) Close() { _ = b.client.Close() } // it only reads

// List implements [objects.Source].
func (b *bucket) List(ctx context.Context) iter.Seq2[objects.Object, error] {
	return func(yield func(objects.Object, error) bool) {
		query := &storage.Query{Prefix: b.prefix}
		if err := query.SetAttrSelection([]string{"Name", "Generation", "Size", "Created"}); err != nil {
			panic("objects: " + err.Error())
		}
		for it := b.handle.Objects(ctx, query); ; {
			attrs, err := it.Next()
			if errors.Is(err, iterator.Done) {
				return
			}
			if err != nil {
				yield(objects.Object{}, fmt.Errorf("list objects of gs://%s/%s: %w", b.handle.BucketName(), b.prefix, err))
				return
			}
			relative, ok := objects.Relative(attrs.Name, b.prefix)
			if !ok {
				continue
			}
			if !yield(objects.Object{Name: attrs.Name, Version: strconv.FormatInt(attrs.Generation, 10), Size: attrs.Size, Relative: relative, Created: attrs.Created}, nil) {
				return
			}
		}
	}
}

// Fetch implements [objects.Source].
func (b *bucket) Fetch(ctx context.Context, o objects.Object) (*os.File, func(), error) {
	generation, err := strconv.ParseInt(o.Version, 10, 64)
	if err != nil {
		return nil, nil, err
	}
	return objects.TemporaryFile(func(file io.Writer) error {
		return b.copy(ctx, file, b.handle.Object(o.Name).Generation(generation))
	})
}

// copy writes the object to file, and verifies its checksum.
func (b *bucket) copy(ctx context.Context, file io.Writer, handle *storage.ObjectHandle) error {
	r, err := handle.NewReader(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return change.Permanent(err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(io.MultiWriter(file, sum), r)
	if n == r.Attrs.Size && sum.Sum32() != r.Attrs.CRC32C && r.Attrs.CRC32C != 0 {
		return change.Permanent(fmt.Errorf("CRC32C is %08x, want %08x", sum.Sum32(), r.Attrs.CRC32C))
	}
	return err
}
