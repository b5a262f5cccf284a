// Package s3 keeps an archive in a bucket of S3: s3://BUCKET/PREFIX?region=REGION. An object
// comes in and is created if none has its name; what became of it goes back. Other stores
// that speak S3's protocol work if they honour If-None-Match: see AWS_ENDPOINT_URL_S3.
package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
)

// bucketName is the form of a name (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// settings are what the URL of an archive says about S3.
type settings struct {
	bucket, prefix string
	region         string // "" is that of the environment
	encryption     types.ServerSideEncryption
	key            *string // ARN of a KMS key; nil is the bucket's
}

// Parse parses the URL of an archive, s3://BUCKET/PREFIX?region=eu-west-1&format=ndjson. The
// README has a table of the parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	s := &settings{bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if err := checkBucket(u); err != nil {
		return sink.Spec{}, err
	}
	return archive.Parse(u, o, archive.Cloud{Parameters: s.parse, Open: s.open, Probe: s.probe})
}

// checkBucket checks that the URL names a bucket that an archive can be in.
func checkBucket(u *url.URL) error {
	switch {
	case !bucketName.MatchString(u.Host):
		return fmt.Errorf("want s3://BUCKET/PREFIX, with the name of a bucket")
	case strings.HasSuffix(u.Host, "--x-s3"):
		return fmt.Errorf("%s is a directory bucket, which lists its objects in no order, so that an archive in it could not be replayed; name a general purpose bucket", u.Host)
	}
	return nil
}

func (s *settings) parse(q *sink.Query) {
	s.region = q.Text("region", "")
	s.encryption = types.ServerSideEncryption(q.Word("sse", "", "", string(types.ServerSideEncryptionAes256), string(types.ServerSideEncryptionAwsKms)))
	if key := q.Text("key", ""); key != "" {
		s.key = &key
		if s.encryption != types.ServerSideEncryptionAwsKms {
			q.Fail("key=%s without sse=aws:kms", key)
		}
	}
}

// bucket is a bucket of S3.
type bucket struct {
	*settings
	client *s3.Client
}

func (s *settings) open(ctx context.Context, _ string) (archive.Bucket, error) {
	client, err := NewClient(ctx, s.region)
	if err != nil {
		return nil, err
	}
	return &bucket{s, client}, nil
}

// Create implements [archive.Bucket]. It sends the object in one request.
func (b *bucket) Create(ctx context.Context, o archive.Object) (archive.Outcome, error) {
	out, err := b.client.PutObject(ctx, b.put(o))
	if err == nil && aws.ToString(out.ETag) == "" {
		return archive.Unknown, ErrNotFromS3
	}
	return outcomeOf(err), Advise(err)
}

// put returns the request that creates an object, unless one with its name exists.
func (b *bucket) put(o archive.Object) *s3.PutObjectInput {
	body := newContent(o.Content)
	in := &s3.PutObjectInput{
		Bucket: &b.bucket, Key: &o.Name, Body: body, ContentLength: &body.size, ContentType: &o.MediaType, Metadata: o.Metadata,
		IfNoneMatch:          aws.String("*"),
		ChecksumCRC32C:       aws.String(encodeChecksum(o.CRC32C)),
		ServerSideEncryption: b.encryption, SSEKMSKeyId: b.key,
	}
	if b.encryption == types.ServerSideEncryptionAwsKms {
		in.BucketKeyEnabled = aws.Bool(true) // a call of KMS for a time, not for each object
	}
	return in
}

// encodeChecksum returns a checksum as S3 writes it.
func encodeChecksum(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// outcomeOf returns what is known after a PutObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
func outcomeOf(err error) archive.Outcome {
	status, code := StatusOf(err), codeOf(err)
	switch {
	case err == nil:
		return archive.Created
	case IsPreconditionFailed(err):
		return archive.Exists
	case code == "SlowDown" || status == http.StatusTooManyRequests || code == "BadDigest": // the last if the body was damaged on its way
		return archive.Throttled
	case status < http.StatusMultipleChoices || // no response, or a success that cannot be read
		status >= http.StatusInternalServerError || status == http.StatusRequestTimeout || code == "RequestTimeout" ||
		status == http.StatusConflict: // another write of this name is under way
		return archive.Unknown
	}
	return archive.Failed
}

// Close implements [archive.Bucket].
func (b *bucket) Close() error {
	awsconfig.CloseIdleConnections(b.client.Options().HTTPClient)
	return nil
}

// probe checks that the bucket exists and may be written to. It sends an object with a wrong
// checksum: S3 refuses that only once it has found that the caller may write it, and stores
// nothing. This needs no permission that an archive does not need.
func (s *settings) probe(ctx context.Context, _ string) error {
	opened, err := s.open(ctx, "")
	if err != nil {
		return fmt.Errorf("check bucket %s: %w", s.bucket, err)
	}
	name := strings.TrimPrefix(s.prefix+"/aerosink-check", "/")
	const wrong = 1 // the CRC32C of no bytes is 0
	out, err := opened.Create(ctx, archive.Object{Name: name, MediaType: "text/plain", CRC32C: wrong})
	if out == archive.Created || out == archive.Exists || codeOf(err) == "BadDigest" || codeOf(err) == "InvalidRequest" && strings.Contains(err.Error(), "checksum") {
		return nil
	}
	return fmt.Errorf("check bucket %s: %w", s.bucket, err)
}

// ReadObject returns the content of the object s3://BUCKET/NAME?region=REGION, which must have
// at most limit bytes. It needs s3:GetObject.
func ReadObject(ctx context.Context, s3URL string, limit int64) (content []byte, err error) {
	u, err := url.Parse(s3URL)
	if err != nil || u.Scheme != "s3" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%q is not an object; want s3://BUCKET/NAME", s3URL)
	}
	client, err := NewClient(ctx, u.Query().Get("region"))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s3URL, err)
	}
	o, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &u.Host, Key: aws.String(strings.TrimPrefix(u.Path, "/"))})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s3URL, Advise(err))
	}
	defer func() { _ = o.Body.Close() }() // it was only read
	if aws.ToString(o.ETag) == "" {
		return nil, fmt.Errorf("read %s: %w", s3URL, ErrNotFromS3)
	}
	content, err = io.ReadAll(io.LimitReader(o.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", s3URL, err)
	case int64(len(content)) > limit:
		return nil, fmt.Errorf("read %s: it has more than %d bytes", s3URL, limit)
	}
	return content, nil
}
