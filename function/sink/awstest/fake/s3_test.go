package fake_test

import (
	"context"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// crc32c returns the checksum of content, as S3 wants it.
func crc32c(content string) *string {
	sum := crc32.Checksum([]byte(content), crc32.MakeTable(crc32.Castagnoli))
	return aws.String(base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}))
}

// putObject returns a request that stores content under a key.
func putObject(key, content string, change ...func(*s3.PutObjectInput)) *s3.PutObjectInput {
	in := &s3.PutObjectInput{Bucket: aws.String(awstest.Bucket), Key: &key, Body: strings.NewReader(content)}
	for _, c := range change {
		c(in)
	}
	return in
}

func ifNone(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// uploads are calls of PutObject, one after another in one bucket, and the code of the error
// with which S3 refuses them.
var uploads = []struct {
	name string
	in   func() *s3.PutObjectInput
	code string
}{
	{"a new object", func() *s3.PutObjectInput { return putObject("new", "1", ifNone) }, ""},
	{"an object that is there", func() *s3.PutObjectInput { return putObject("new", "1", ifNone) }, "PreconditionFailed"},
	{"an object that is there, without a condition", func() *s3.PutObjectInput { return putObject("new", "2") }, ""},
	{"a key with a percent sign", func() *s3.PutObjectInput { return putObject("namespace=a%2Fb/c d+é", "1", ifNone) }, ""},
	{"a key of 1,024 bytes", func() *s3.PutObjectInput { return putObject(text(1024), "1", ifNone) }, ""},
	{"a key of 1,025 bytes", func() *s3.PutObjectInput { return putObject(text(1025), "1", ifNone) }, "KeyTooLongError"},
	{"a CRC32C", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ChecksumCRC32C = crc32c("content") })
	}, ""},
	{"a wrong CRC32C", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ChecksumCRC32C = crc32c("contents") })
	}, "BadDigest"},
	{"a wrong Content-MD5", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("1B2M2Y8AsgTpgAmY7PhCfg==") })
	}, "BadDigest"},
	{"a Content-MD5 that is not one", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("nonsense") })
	}, "InvalidDigest"},
	{"SHA-256", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256 })
	}, ""},
	{"CRC-64/NVME", func() *s3.PutObjectInput {
		return putObject("c", "content", func(in *s3.PutObjectInput) { in.ChecksumCRC64NVME = aws.String("sn64wZ1B0qc=") })
	}, "BadDigest"},
	{"2 KB of metadata", func() *s3.PutObjectInput {
		return putObject("m", "1", func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"name": text(2044)} })
	}, ""},
	{"a byte over 2 KB of metadata", func() *s3.PutObjectInput {
		return putObject("m", "1", func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"name": text(2045)} })
	}, "MetadataTooLarge"},
	{"a key of KMS without KMS", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) { in.SSEKMSKeyId = aws.String("alias/a") })
	}, "InvalidArgument"},
	{"KMS", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = types.ServerSideEncryptionAwsKms, aws.String("alias/a"), aws.Bool(true)
		})
	}, ""},
	{"another encryption", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) { in.ServerSideEncryption = "rot13" })
	}, "InvalidArgument"},
	{"another condition", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String(`"etag"`) })
	}, "NotImplemented"},
	{"a header that the fake does not know", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier })
	}, "NotImplemented"},
	{"a bucket that is not there", func() *s3.PutObjectInput {
		return putObject("k", "1", func(in *s3.PutObjectInput) { in.Bucket = aws.String("nowhere") })
	}, "NoSuchBucket"},
}

func TestS3_uploads(t *testing.T) {
	awstest.Start(t)
	client := s3.NewFromConfig(config(t))
	for _, tt := range uploads {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := client.PutObject(t.Context(), tt.in()); code(err) != tt.code {
				t.Errorf("%v, want %q", err, tt.code)
			}
		})
	}
}

// What is stored is what was sent.
func TestS3_objects(t *testing.T) {
	cloud := awstest.Start(t)
	in := putObject("a/b", "content", ifNone, func(in *s3.PutObjectInput) {
		in.ContentType, in.ContentEncoding, in.Metadata = aws.String("application/x-ndjson"), aws.String("gzip"), map[string]string{"Lut-Min": "1"}
		in.ServerSideEncryption, in.SSEKMSKeyId, in.ChecksumCRC32C = types.ServerSideEncryptionAwsKms, aws.String("alias/a"), crc32c("content")
	})
	out, err := s3.NewFromConfig(config(t)).PutObject(t.Context(), in)
	if err != nil || *out.ChecksumCRC32C != *crc32c("content") || out.ServerSideEncryption != types.ServerSideEncryptionAwsKms {
		t.Fatalf("%+v, %v", out, err)
	}
	want := []fake.S3Object{{
		Key: "a/b", Content: []byte("content"), ContentType: "application/x-ndjson", ContentEncoding: "gzip", Metadata: map[string]string{"lut-min": "1"}, ETag: *out.ETag,
		ServerSideEncryption: "aws:kms", KMSKeyID: "alias/a", Checksums: map[string]string{"crc32c": *crc32c("content")},
	}}
	got := cloud.S3.Objects(awstest.Bucket)
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Modified" }, cmp.Ignore())); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// Over TLS the client sends chunks with a checksum behind them, and need not read the body
// twice.
func TestS3_chunks(t *testing.T) {
	awstest.Start(t) // for the credentials
	store := fake.NewS3()
	store.CreateBucket(awstest.Bucket)
	var encoding, trailer string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding, trailer = strings.Join(r.Header.Values("Content-Encoding"), ","), r.Header.Get("X-Amz-Trailer")
		store.ServeHTTP(w, r)
	}))
	defer server.Close()
	client := s3.NewFromConfig(config(t), func(o *s3.Options) { o.BaseEndpoint, o.HTTPClient = &server.URL, server.Client() })
	content := text(200_000)
	for _, key := range []string{"first", "second"} {
		in := putObject(key, content)
		in.ContentEncoding = aws.String("gzip")
		if key == "second" {
			in.Body, in.ContentLength = io.LimitReader(strings.NewReader(content), 200_000), aws.Int64(200_000)
		}
		if _, err := client.PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(encoding, "aws-chunked") || trailer != "x-amz-checksum-crc32" {
			t.Errorf("%s: Content-Encoding %q, trailer %q; want chunks with a checksum", key, encoding, trailer)
		}
	}
	for _, o := range store.Objects(awstest.Bucket) {
		if string(o.Content) != content || o.ContentEncoding != "gzip" || o.Checksums["crc32"] == "" {
			t.Errorf("%s: %d bytes, encoding %q, checksums %v", o.Key, len(o.Content), o.ContentEncoding, o.Checksums)
		}
	}
	if n := len(store.Objects(awstest.Bucket)); n != 2 {
		t.Errorf("%d objects", n)
	}
}

// While a put is on its way, a conditional one of the same key conflicts with it.
func TestS3_conflict(t *testing.T) {
	cloud := awstest.Start(t)
	client := s3.NewFromConfig(config(t))
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	cloud.S3.Fail(func(c *fake.S3Call) {
		if len(entered) == 0 {
			c.Hang = release
			entered <- struct{}{}
		}
	})
	first := make(chan error, 1)
	go func() {
		_, err := client.PutObject(t.Context(), putObject("a", "1", ifNone))
		first <- err
	}()
	changetest.WaitFor(t, "the first put", func() bool { return len(entered) > 0 })
	_, err := client.PutObject(t.Context(), putObject("a", "1", ifNone))
	var e *smithyhttp.ResponseError
	if code(err) != "ConditionalRequestConflict" || !errors.As(err, &e) || e.HTTPStatusCode() != http.StatusConflict {
		t.Errorf("at the same time: %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if _, err := client.PutObject(t.Context(), putObject("a", "1", ifNone)); code(err) != "PreconditionFailed" {
		t.Errorf("afterwards: %v", err)
	}
}

func TestS3_get(t *testing.T) {
	awstest.Start(t)
	client := s3.NewFromConfig(config(t))
	stored, err := client.PutObject(t.Context(), putObject("a", "content", func(in *s3.PutObjectInput) {
		in.ChecksumCRC32C, in.Metadata = crc32c("content"), map[string]string{"n": "v"}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key string
		change    func(*s3.GetObjectInput)
		content   string
		code      string
	}{
		{"all", "a", func(*s3.GetObjectInput) {}, "content", ""},
		{"a range", "a", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=1-3") }, "ont", ""},
		{"a range over the end", "a", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=3-100") }, "tent", ""},
		{"from a byte", "a", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=6-") }, "t", ""},
		{"the last bytes", "a", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=-2") }, "nt", ""},
		{"a range behind the end", "a", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=7-8") }, "", "InvalidRange"},
		{"its version", "a", func(in *s3.GetObjectInput) { in.IfMatch = stored.ETag }, "content", ""},
		{"another version", "a", func(in *s3.GetObjectInput) { in.IfMatch = aws.String(`"other"`) }, "", "PreconditionFailed"},
		{"an ID of a version", "a", func(in *s3.GetObjectInput) { in.VersionId = aws.String("v1") }, "", "NoSuchVersion"},
		{"a missing object", "b", func(*s3.GetObjectInput) {}, "", "NoSuchKey"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &s3.GetObjectInput{Bucket: aws.String(awstest.Bucket), Key: &tt.key}
			tt.change(in)
			out, err := client.GetObject(t.Context(), in)
			if code(err) != tt.code {
				t.Fatalf("%v, want %q", err, tt.code)
			}
			if tt.code != "" {
				return
			}
			content, err := io.ReadAll(out.Body)
			if err != nil || string(content) != tt.content || *out.ContentLength != int64(len(tt.content)) || out.Metadata["n"] != "v" || *out.ETag != *stored.ETag {
				t.Errorf("%q, %v, %+v", content, err, out)
			}
			if sum := aws.ToString(out.ChecksumCRC32C); sum != "" != (in.Range == nil) {
				t.Errorf("CRC32C %q", sum)
			}
		})
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(awstest.Bucket), Key: aws.String("a"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil || *head.ContentLength != 7 || *head.ChecksumCRC32C != *crc32c("content") {
		t.Errorf("HeadObject: %+v, %v", head, err)
	}
	if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(awstest.Bucket), Key: aws.String("b")}); code(err) != "NotFound" {
		t.Errorf("HeadObject of a missing object: %v", err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(awstest.Bucket)}); err != nil {
		t.Errorf("HeadBucket: %v", err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("nowhere")}); code(err) != "NotFound" {
		t.Errorf("HeadBucket of a missing bucket: %v", err)
	}
}

// A list is sorted by the bytes of the keys, and comes in pages.
func TestS3_list(t *testing.T) {
	awstest.Start(t)
	client := s3.NewFromConfig(config(t))
	for _, key := range []string{"p/é", "p/z", "p/a/2", "p/a/1", "p/b", "other", "p/a b&<>%2F"} {
		if _, err := client.PutObject(t.Context(), putObject(key, "1")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*s3.ListObjectsV2Input)
		want   string
	}{
		{"all", func(*s3.ListObjectsV2Input) {}, "other p/a b&<>%2F p/a/1 p/a/2 p/b p/z p/é"},
		{"a prefix", func(in *s3.ListObjectsV2Input) { in.Prefix = aws.String("p/a/") }, "p/a/1 p/a/2"},
		{"pages of one", func(in *s3.ListObjectsV2Input) { in.MaxKeys = aws.Int32(1) }, "other p/a b&<>%2F p/a/1 p/a/2 p/b p/z p/é"},
		{"after a key", func(in *s3.ListObjectsV2Input) { in.StartAfter = aws.String("p/a/2") }, "p/b p/z p/é"},
		{"folders", func(in *s3.ListObjectsV2Input) { in.Delimiter = aws.String("/") }, "other (p/)"},
		{"folders in pages of two", func(in *s3.ListObjectsV2Input) {
			in.Delimiter, in.Prefix, in.MaxKeys = aws.String("/"), aws.String("p/"), aws.Int32(2)
		}, "p/a b&<>%2F (p/a/) p/b p/z p/é"},
		{"nothing", func(in *s3.ListObjectsV2Input) { in.Prefix = aws.String("q") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &s3.ListObjectsV2Input{Bucket: aws.String(awstest.Bucket)}
			tt.change(in)
			var got []string
			for pages := s3.NewListObjectsV2Paginator(client, in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range page.Contents {
					got = append(got, *o.Key)
				}
				for _, p := range page.CommonPrefixes {
					got = append(got, "("+*p.Prefix+")")
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestS3_faults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(*fake.S3Call)
		code   string
		stored int
	}{
		{"too many calls", func(c *fake.S3Call) { c.Error = "SlowDown" }, "SlowDown", 0},
		{"forbidden", func(c *fake.S3Call) { c.Error = "AccessDenied" }, "AccessDenied", 0},
		{"refused by KMS", func(c *fake.S3Call) { c.Error = "KMS.DisabledException" }, "KMS.DisabledException", 0},
		{"an internal error", func(c *fake.S3Call) { c.Error = "InternalError" }, "InternalError", 0},
		{"a proxy's error", func(c *fake.S3Call) { c.Status = http.StatusBadGateway }, "BadGateway", 0},
		{"hangs", func(c *fake.S3Call) { c.Hang = make(chan struct{}) }, "no answer", 0},
		{"the connection breaks", func(c *fake.S3Call) { c.DropConnection = true }, "no answer", 0},
		{"the answer is lost", func(c *fake.S3Call) { c.LoseAnswer = true }, "no answer", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			calls := make(chan fake.S3Call, 1)
			cloud.S3.Fail(func(c *fake.S3Call) {
				tt.fault(c)
				calls <- *c
			})
			ctx := t.Context()
			if tt.name == "hangs" {
				ctx = untilReached(t, func() bool { return len(calls) > 0 })
			}
			_, err := s3.NewFromConfig(config(t)).PutObject(ctx, putObject("a/b", "1", ifNone))
			if got := code(err); tt.code == "no answer" && !strings.HasPrefix(got, tt.code) || tt.code != "no answer" && got != tt.code {
				t.Errorf("%q, want %q", got, tt.code)
			}
			if n := len(cloud.S3.Objects(awstest.Bucket)); n != tt.stored {
				t.Errorf("%d objects stored, want %d", n, tt.stored)
			}
			if seen := <-calls; seen.Operation != "PutObject" || seen.Bucket != awstest.Bucket || seen.Key != "a/b" {
				t.Errorf("the fault saw %+v", seen)
			}
		})
	}
}

// A bucket is found by the host's name too.
func TestS3_virtualHost(t *testing.T) {
	cloud := awstest.Start(t)
	url := strings.Replace(cloud.URL, "127.0.0.1", "localhost", 1)
	dial := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(cloud.URL, "http://"))
	}}
	client := s3.NewFromConfig(config(t), func(o *s3.Options) { o.BaseEndpoint, o.HTTPClient = &url, &http.Client{Transport: dial} })
	if _, err := client.PutObject(t.Context(), putObject("a/b", "1")); err != nil {
		t.Fatal(err)
	}
	if o := cloud.S3.Objects(awstest.Bucket); len(o) != 1 || o[0].Key != "a/b" {
		t.Errorf("objects %+v", o)
	}
}
