package s3_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func open(t *testing.T, url string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, s3.Parse, url, o))
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"s3://shop-archive/changes?region=eu-west-1&format=parquet&linger=0s", ""},
		{"s3://shop-archive?sse=aws:kms&key=arn:aws:kms:eu-west-1:123456789012:key/1", ""},
		{"s3://shop-archive?sse=aws:kms", ""},
		{"s3:///changes", "want s3://BUCKET/PREFIX"},
		{"s3://Shop/changes", "want s3://BUCKET/PREFIX"},
		{"s3://shop--euw1-az1--x-s3/changes", "is a directory bucket"},
		{"s3://shop-archive?key=1", "key=1 without sse=aws:kms"},
		{"s3://shop-archive?sse=none", "invalid sse=none"},
		{"s3://shop-archive?regio=eu-west-1", "unknown parameter regio; known are format, compression, path, linger, max-bytes, max-changes, max-in-flight, region, sse, key"},
	} {
		u, err := sink.ParseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		switch _, err := s3.Parse(u, sink.Options{}); {
		case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.err)
		}
	}
}

// A batch becomes objects in Hive folders, with checksum, type and metadata.
func TestPut(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.ArchiveSink+"&compression=gzip&linger=0s", sink.Options{})
	b := sinktest.Batch("orders", 3)
	b.Changes[2].Change.Namespace = "a/b"
	for range 2 { // a repeat changes nothing
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	var names []string
	name := regexp.MustCompile(`/(\d{13})-[0-9a-f]{32}\.`)
	for _, o := range cloud.S3.Objects(awstest.Bucket) {
		names = append(names, name.ReplaceAllString(o.Key, "/$1-HASH."))
		if o.ContentType != "application/gzip" || o.ContentEncoding != "" || o.Checksums["crc32c"] == "" || o.Metadata["format"] != "ndjson" || o.Metadata["crc32c"] == "" {
			t.Errorf("object %+v", o)
		}
	}
	want := []string{
		"changes/namespace=a%2Fb/set=orders/dt=2026-11-22/hour=12/1795350896791-HASH.ndjson.gz",
		"changes/namespace=shop/set=orders/dt=2026-11-22/hour=12/1795350896789-HASH.ndjson.gz",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What S3 answers decides whether a write is repeated, and whether its changes are stored.
func TestPut_answers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		faults   []func(*fake.S3Call) // of the first attempts; the next one is handled
		attempts int
		err      string // in the verdict; "" is stored
	}{
		{"conflict", faults(refused("ConditionalRequestConflict")), 2, ""},
		{"slow down", faults(refused("SlowDown"), refused("SlowDown")), 3, ""},
		{"internal error", faults(refused("InternalError")), 2, ""},
		{"service unavailable", faults(status(http.StatusServiceUnavailable)), 2, ""},
		{"too many requests", faults(status(http.StatusTooManyRequests)), 2, ""},
		{"request timeout", faults(refused("RequestTimeout")), 2, ""},
		{"damaged on its way", faults(refused("BadDigest")), 2, ""},
		{"connection broken", faults(func(c *fake.S3Call) { c.DropConnection = true }), 2, ""},
		{"answer lost", faults(func(c *fake.S3Call) { c.LoseAnswer = true }), 2, ""},
		{"hangs", faults(func(c *fake.S3Call) { c.Hang = make(chan struct{}) }), 2, ""},
		{"access denied", faults(refused("AccessDenied")), 1, "grant s3:PutObject"},
		{"no bucket", faults(refused("NoSuchBucket")), 1, "create the bucket"},
		{"wrong region", faults(refused("AuthorizationHeaderMalformed")), 1, "add region="},
		{"key disabled", faults(refused("KMS.DisabledException")), 1, "kms:GenerateDataKey"},
		{"bad request", faults(refused("InvalidArgument")), 1, "InvalidArgument"},
		{"precondition of another", faults(status(http.StatusPreconditionFailed)), 1, "412"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			s := open(t, awstest.ArchiveSink+"&linger=0s", sink.Options{Timeout: 3 * time.Second})
			attempts := 0
			cloud.S3.Fail(func(c *fake.S3Call) {
				if attempts++; attempts <= len(tt.faults) {
					tt.faults[attempts-1](c)
				}
			})
			verdicts := s.Put(t.Context(), sinktest.Batch("orders", 2))
			objects := cloud.S3.Objects(awstest.Bucket)
			switch {
			case tt.err == "" && (verdicts != nil || len(objects) != 1):
				t.Errorf("verdicts %v, %d objects", verdicts, len(objects))
			case tt.err != "" && (len(verdicts) != 2 || verdicts[1] == nil || change.IsPermanent(verdicts[1]) || !strings.Contains(verdicts[1].Error(), tt.err) || len(objects) != 0):
				t.Errorf("verdicts %v, want %q; %d objects", verdicts, tt.err, len(objects))
			}
			if attempts != tt.attempts {
				t.Errorf("%d attempts, want %d", attempts, tt.attempts)
			}
		})
	}
}

// What something on the way answers is not taken for S3's: the write is repeated until S3 has
// answered.
func TestPut_answersOfProxy(t *testing.T) {
	const page = "<html><body>Sign in to use this network</body></html>"
	for _, tt := range []struct {
		name    string
		status  int
		headers http.Header
		body    string
	}{
		{"a page", http.StatusOK, http.Header{"Content-Type": {"text/html"}}, page},
		{"nothing", http.StatusOK, nil, ""},
		{"no content", http.StatusNoContent, nil, ""},
		{"a header that cannot be read", http.StatusOK, http.Header{"Etag": {`"1"`}, "X-Amz-Object-Size": {"many"}}, ""},
		{"a page of an error", http.StatusBadGateway, http.Header{"Content-Type": {"text/html"}}, page},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			var attempts atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if attempts.Add(1) > 1 {
					cloud.ServeHTTP(w, r)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				maps.Copy(w.Header(), tt.headers)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			t.Setenv("AWS_ENDPOINT_URL", server.URL)
			s := open(t, awstest.ArchiveSink+"&linger=0s", sink.Options{Timeout: 3 * time.Second})
			if verdicts := s.Put(t.Context(), sinktest.Batch("orders", 2)); verdicts != nil {
				t.Error(verdicts[0])
			}
			if objects, n := len(cloud.S3.Objects(awstest.Bucket)), attempts.Load(); objects != 1 || n != 2 {
				t.Errorf("%d objects, want 1; %d attempts, want 2", objects, n)
			}
		})
	}
}

func faults(f ...func(*fake.S3Call)) []func(*fake.S3Call) { return f }

func refused(code string) func(*fake.S3Call) {
	return func(c *fake.S3Call) { c.Error, c.Message = code, "made for the test" }
}

func status(code int) func(*fake.S3Call) {
	return func(c *fake.S3Call) { c.Status = code }
}

// Many processes write the same batch at once: there is one object, and every Put knows it.
func TestPut_sideBySide(t *testing.T) {
	cloud := awstest.Start(t)
	var putting sync.WaitGroup
	for range 30 {
		s := open(t, awstest.ArchiveSink+"&linger=0s", sink.Options{})
		putting.Go(func() {
			if verdicts := s.Put(t.Context(), sinktest.Batch("orders", 5)); verdicts != nil {
				t.Error(verdicts[0])
			}
		})
	}
	putting.Wait()
	if n := len(cloud.S3.Objects(awstest.Bucket)); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

func TestPut_encryption(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:123456789012:key/0000"
	for query, want := range map[string][2]string{"": {"AES256", ""}, "&sse=aws:kms": {"aws:kms", ""}, "&sse=aws:kms&key=" + key: {"aws:kms", key}} {
		cloud := awstest.Start(t)
		s := open(t, awstest.ArchiveSink+"&linger=0s"+query, sink.Options{})
		if verdicts := s.Put(t.Context(), sinktest.Batch("orders", 1)); verdicts != nil {
			t.Fatal(verdicts)
		}
		if o := cloud.S3.Objects(awstest.Bucket)[0]; [2]string{o.ServerSideEncryption, o.KMSKeyID} != want {
			t.Errorf("%q: %s, key %q", query, o.ServerSideEncryption, o.KMSKeyID)
		}
	}
}

// Over TLS the body is not hashed for the signature, and without TLS it is.
func TestPut_signature(t *testing.T) {
	var hashes atomic.Pointer[[]string]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"1"`)
		all := append([]string{r.Header.Get("X-Amz-Content-Sha256"), r.Header.Get("X-Amz-Checksum-Crc32c"), r.Header.Get("If-None-Match"), r.Header.Get("Content-Encoding")}, r.TransferEncoding...)
		hashes.Store(&all)
	})
	for _, secure := range []bool{false, true} {
		awstest.Start(t) // credentials
		server := httptest.NewUnstartedServer(handler)
		if secure {
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
			server.StartTLS()
			path := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_CA_BUNDLE", path)
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		t.Setenv("AWS_ENDPOINT_URL", server.URL)
		s := open(t, awstest.ArchiveSink+"&linger=0s", sink.Options{})
		if verdicts := s.Put(t.Context(), sinktest.Batch("orders", 1)); verdicts != nil {
			t.Fatal(verdicts)
		}
		got := *hashes.Load()
		if unsigned := got[0] == "UNSIGNED-PAYLOAD"; unsigned != secure || got[1] == "" || got[2] != "*" || got[3] != "" || len(got) > 4 {
			t.Errorf("TLS %t: %q", secure, got)
		}
	}
}

// The check finds out whether objects may be written, and stores nothing.
func TestProbe(t *testing.T) {
	cloud := awstest.Start(t)
	for _, tt := range []struct {
		url   string
		fault func(*fake.S3Call)
		err   string
	}{
		{awstest.ArchiveSink, nil, ""},
		{"s3://archive?region=eu-west-1", nil, ""},
		{"s3://another?region=eu-west-1", nil, "check bucket another"},
		{awstest.ArchiveSink, refused("AccessDenied"), "grant s3:PutObject"},
		{awstest.ArchiveSink, func(c *fake.S3Call) { c.DropConnection = true }, "check bucket archive"},
	} {
		cloud.S3.Fail(tt.fault)
		err := sinktest.Parse(t, s3.Parse, tt.url, sink.Options{}).Probe(t.Context())
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.err)
		}
	}
	if n := len(cloud.S3.Objects(awstest.Bucket)); n != 0 {
		t.Errorf("%d objects stored by the check", n)
	}
}

// Without a region nothing is guessed.
func TestOpen_noRegion(t *testing.T) {
	awstest.Start(t)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	if _, err := sinktest.Parse(t, s3.Parse, "s3://archive/changes", sink.Options{}).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "add region=") {
		t.Errorf("error %v", err)
	}
}

func TestReadObject(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.ArchiveSink+"&linger=0s", sink.Options{})
	if verdicts := s.Put(t.Context(), sinktest.Batch("orders", 1)); verdicts != nil {
		t.Fatal(verdicts)
	}
	name := cloud.S3.Objects(awstest.Bucket)[0].Key
	for _, tt := range []struct {
		url   string
		limit int64
		err   string
	}{
		{fmt.Sprintf("s3://archive/%s?region=eu-west-1", strings.ReplaceAll(name, "%", "%25")), 100, ""},
		{fmt.Sprintf("s3://archive/%s?region=eu-west-1", name), 3, "more than 3 bytes"},
		{"s3://archive/other?region=eu-west-1", 100, "NoSuchKey"},
		{"s3://archive", 100, "want s3://BUCKET/NAME"},
	} {
		content, err := s3.ReadObject(t.Context(), tt.url, tt.limit)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || err == nil && string(content) != "{\"i\":0}\n" {
			t.Errorf("%s: %q, error %v", tt.url, content, err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	if content, err := s3.ReadObject(t.Context(), "s3://archive/"+name+"?region=eu-west-1", 100); !errors.Is(err, s3.ErrNotFromS3) {
		t.Errorf("a page of a proxy: %q, error %v", content, err)
	}
}
