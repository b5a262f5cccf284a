package objects

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/credentials"
)

// bucket is a bucket of Cloud Storage. The prefix is the name of an object or a folder, so
// changes does not match changes-old. Reading needs roles/storage.objectViewer.
type bucket struct {
	client *storage.Client
	handle *storage.BucketHandle
	prefix string
}

func openBucket(ctx context.Context, name, prefix string) (*bucket, error) {
	if err := credentials.Check("STORAGE_EMULATOR_HOST"); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return &bucket{client, client.Bucket(name), prefix}, nil
}

// Close implements [Source].
func (b *bucket) Close() { _ = b.client.Close() } // it only reads

// List implements [Source].
func (b *bucket) List(ctx context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
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
				yield(Object{}, fmt.Errorf("list objects of gs://%s/%s: %w", b.handle.BucketName(), b.prefix, err))
				return
			}
			relative, ok := strings.CutPrefix(attrs.Name, strings.TrimSuffix(b.prefix, "/"))
			if !ok || b.prefix != "" && relative != "" && relative[0] != '/' {
				continue
			}
			if !yield(Object{attrs.Name, strconv.FormatInt(attrs.Generation, 10), attrs.Size, relative, attrs.Created}, nil) {
				return
			}
		}
	}
}

// Fetch implements [Source]. It copies the object into a temporary file: its checksum is verified before the first
// change is sent, and Parquet is read from the end.
func (b *bucket) Fetch(ctx context.Context, o Object) (_ *os.File, _ func(), err error) {
	file, err := os.CreateTemp("", "replay-*")
	if err != nil {
		return nil, nil, fmt.Errorf("create a temporary file: %w; set TMPDIR to a directory with space for the largest object", err)
	}
	release := func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	generation, err := strconv.ParseInt(o.Version, 10, 64)
	if err != nil {
		return nil, nil, err
	}
	if err := b.copy(ctx, file, b.handle.Object(o.Name).Generation(generation)); err != nil {
		return nil, nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, release, err
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
