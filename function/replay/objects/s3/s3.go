// Package s3 reads the objects of an archive in S3: s3://BUCKET/PREFIX?region=REGION.
package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/objects"
	archive "github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
)

// bucket is a bucket of S3. The prefix is the name of an object or a folder, so changes does
// not match changes-old. Reading needs s3:ListBucket and s3:GetObject.
type bucket struct {
	client *s3.Client
	name   string
	prefix string
}

// Open implements [objects.OpenBucket] for s3://BUCKET/PREFIX?region=REGION. Without a region
// it is that of the environment.
func Open(ctx context.Context, u *url.URL) (objects.Source, error) {
	query := u.Query()
	region := query.Get("region")
	query.Del("region")
	if u.Host == "" || len(query) > 0 {
		return nil, fmt.Errorf("cannot read from %q; want s3://BUCKET/PREFIX, with no other parameter than region", u)
	}
	client, err := archive.NewClient(ctx, region)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", u.Host, err)
	}
	return &bucket{client, u.Host, strings.TrimPrefix(u.Path, "/")}, nil
}

// Close implements [objects.Source].
func (b *bucket) Close() { awsconfig.CloseIdleConnections(b.client.Options().HTTPClient) }

// List implements [objects.Source]. S3 lists objects sorted by the bytes of their names.
func (b *bucket) List(ctx context.Context) iter.Seq2[objects.Object, error] {
	return func(yield func(objects.Object, error) bool) {
		for pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &b.prefix}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(objects.Object{}, fmt.Errorf("list objects of s3://%s/%s: %w", b.name, b.prefix, archive.Advise(err)))
				return
			}
			for _, o := range page.Contents {
				name := aws.ToString(o.Key)
				relative, ok := objects.Relative(name, b.prefix)
				if !ok {
					continue
				}
				if !yield(objects.Object{Name: name, Version: aws.ToString(o.ETag), Size: aws.ToInt64(o.Size), Relative: relative, Created: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Fetch implements [objects.Source].
func (b *bucket) Fetch(ctx context.Context, o objects.Object) (*os.File, func(), error) {
	return objects.TemporaryFile(func(file io.Writer) error { return b.copy(ctx, file, o) })
}

// copy writes the object to file, if it is the one that was listed, and verifies its checksum.
func (b *bucket) copy(ctx context.Context, file io.Writer, o objects.Object) error {
	got, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &o.Name, IfMatch: &o.Version, ChecksumMode: types.ChecksumModeEnabled})
	var missing *types.NoSuchKey
	switch {
	case errors.As(err, &missing):
		return change.Permanent(err)
	case err != nil && archive.IsPreconditionFailed(err):
		return change.Permanent(fmt.Errorf("it has changed since it was listed: %w", err))
	case err != nil:
		return archive.Advise(err)
	}
	defer func() { _ = got.Body.Close() }() // it was only read
	if aws.ToString(got.ETag) == "" {
		return archive.ErrNotFromS3
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(io.MultiWriter(file, sum), got.Body)
	want, known := checksumOf(got)
	if known && n == aws.ToInt64(got.ContentLength) && sum.Sum32() != want {
		return change.Permanent(fmt.Errorf("CRC32C is %08x, want %08x", sum.Sum32(), want))
	}
	return err
}

// checksumOf returns the CRC32C of an object: the one that S3 has, or that in the metadata of
// an archive's object.
func checksumOf(o *s3.GetObjectOutput) (crc uint32, known bool) {
	if b, err := base64.StdEncoding.DecodeString(aws.ToString(o.ChecksumCRC32C)); err == nil && len(b) == 4 && o.ChecksumType != types.ChecksumTypeComposite {
		return binary.BigEndian.Uint32(b), true
	}
	n, err := strconv.ParseUint(o.Metadata["crc32c"], 16, 32)
	return uint32(n), err == nil
}
