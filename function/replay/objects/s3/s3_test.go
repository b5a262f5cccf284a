package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/s3"
	"github.com/aerosink/aerosink/function/sink"
	archive "github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func open(t *testing.T, from string) objects.Source {
	t.Helper()
	source, err := objects.Buckets{"s3": s3.Open}.Open(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

func list(t *testing.T, source objects.Source) []objects.Object {
	t.Helper()
	var all []objects.Object
	for o, err := range source.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// put writes an object as another program may: without our checksum.
func put(t *testing.T, name, content string, metadata map[string]string) {
	t.Helper()
	client, err := archive.NewClient(t.Context(), fake.Region)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(awstest.Bucket), Key: &name, Body: strings.NewReader(content), Metadata: metadata}); err != nil {
		t.Fatal(err)
	}
}

// An archive of each format is read back.
func TestFetch_everyFormat(t *testing.T) {
	for _, query := range []string{"format=ndjson", "compression=gzip", "compression=zstd", "format=avro", "format=parquet"} {
		awstest.Start(t)
		s := sinktest.Open(t, sinktest.Parse(t, archive.Parse, awstest.ArchiveSink+"&linger=0s&"+query, sink.Options{}))
		batch := sinktest.Batch("orders", 20)
		if verdicts := s.Put(t.Context(), batch); verdicts != nil {
			t.Fatal(verdicts)
		}
		source := open(t, awstest.ArchiveSink)
		all := list(t, source)
		if len(all) != 1 || all[0].Size == 0 || all[0].Created.IsZero() || !strings.HasPrefix(all[0].Relative, "/namespace=shop/") {
			t.Fatalf("%s: objects %+v", query, all)
		}
		file, release, err := source.Fetch(t.Context(), all[0])
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		d := objects.Decoder{Parser: formats.Parser{MetadataKey: "metadata"}}
		n := 0
		for entries, err := range d.Chunks(file, all[0].Name) {
			if err != nil {
				t.Fatal(err)
			}
			n += len(entries)
		}
		if n != len(batch.Changes) {
			t.Errorf("%s: %d changes", query, n)
		}
	}
}

// A prefix is a folder, or one object; the names come sorted by their bytes, page by page.
func TestList(t *testing.T) {
	awstest.Start(t)
	for _, name := range []string{"b/é.ndjson", "b/z.ndjson", "a-old/1.ndjson", "a/2.ndjson", "a/10.ndjson", "a.ndjson"} {
		put(t, name, "{}", nil)
	}
	for from, want := range map[string][]string{
		"s3://archive?region=eu-west-1":              {"a-old/1.ndjson", "a.ndjson", "a/10.ndjson", "a/2.ndjson", "b/z.ndjson", "b/é.ndjson"},
		"s3://archive/a?region=eu-west-1":            {"a/10.ndjson", "a/2.ndjson"},
		"s3://archive/a/?region=eu-west-1":           {"a/10.ndjson", "a/2.ndjson"},
		"s3://archive/a/2.ndjson?region=eu-west-1":   {"a/2.ndjson"},
		"s3://archive/a/2?region=eu-west-1":          nil,
		"s3://archive/nothing/here?region=eu-west-1": nil,
	} {
		var names []string
		for _, o := range list(t, open(t, from)) {
			names = append(names, o.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", from, diff)
		}
	}
}

// What cannot be fetched is told apart: for good, or for now.
func TestFetch_failures(t *testing.T) {
	for _, tt := range []struct {
		name      string
		change    func(cloud *awstest.Cloud)
		permanent bool
		err       string
	}{
		{"deleted", func(c *awstest.Cloud) { c.S3.CreateBucket(awstest.Bucket) }, true, "NoSuchKey"},
		{"overwritten", func(*awstest.Cloud) { put(t, "a.ndjson", "others", nil) }, true, "changed since it was listed"},
		{"access denied", func(c *awstest.Cloud) { c.S3.Fail(func(c *fake.S3Call) { c.Error = "AccessDenied" }) }, false, "grant s3:PutObject"},
		{"unavailable", func(c *awstest.Cloud) {
			c.S3.Fail(func(c *fake.S3Call) { c.Status = http.StatusServiceUnavailable })
		}, false, "503"},
		{"precondition of another", func(c *awstest.Cloud) {
			c.S3.Fail(func(c *fake.S3Call) { c.Status = http.StatusPreconditionFailed })
		}, false, "412"},
		{"page of a proxy", func(*awstest.Cloud) { proxy(t, http.StatusOK) }, false, "not from S3"},
		{"missing page of a proxy", func(*awstest.Cloud) { proxy(t, http.StatusNotFound) }, false, "404"},
		{"connection broken", func(c *awstest.Cloud) { c.S3.Fail(func(c *fake.S3Call) { c.DropConnection = true }) }, false, "EOF"},
	} {
		cloud := awstest.Start(t)
		put(t, "a.ndjson", "{}", nil)
		listed := list(t, open(t, "s3://archive?region=eu-west-1"))
		tt.change(cloud)
		source := open(t, "s3://archive?region=eu-west-1")
		_, _, err := source.Fetch(t.Context(), listed[0])
		if err == nil || change.IsPermanent(err) != tt.permanent || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, permanent %t", tt.name, err, change.IsPermanent(err))
		}
	}
}

// proxy has AWS's clients that are made from now on find a server that answers with a page.
func proxy(t *testing.T, status int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>Sign in to use this network</body></html>")
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
}

// A store without checksums makes no line in the log for each object. AWS's client writes its
// log to what standard error is when it is made.
func TestFetch_quiet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	awstest.Start(t) // credentials
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	stderr := os.Stderr
	os.Stderr = log
	defer func() { os.Stderr = stderr }()
	_, release, err := open(t, "s3://archive?region=eu-west-1").Fetch(t.Context(), objects.Object{Name: "a.ndjson", Version: `"1"`})
	if err != nil {
		t.Fatal(err)
	}
	release()
	if text, err := os.ReadFile(log.Name()); err != nil || len(text) > 0 {
		t.Errorf("logged %q, %v", text, err)
	}
}

// The checksum in the metadata of our objects is verified, also where the store has none.
func TestFetch_checksum(t *testing.T) {
	for crc, damaged := range map[string]bool{"": false, "not hexadecimal": false, "297bd0aa": false, "00000001": true} {
		awstest.Start(t)
		put(t, "a.ndjson", "{}", map[string]string{"crc32c": crc})
		source := open(t, "s3://archive?region=eu-west-1")
		file, release, err := source.Fetch(t.Context(), list(t, source)[0])
		if damaged {
			if !change.IsPermanent(err) || !strings.Contains(err.Error(), "CRC32C is") {
				t.Errorf("%q: error %v", crc, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", crc, err)
			continue
		}
		if content, err := io.ReadAll(file); err != nil || string(content) != "{}" {
			t.Errorf("%q: %q, %v", crc, content, err)
		}
		release()
	}
}

func TestOpen_errors(t *testing.T) {
	awstest.Start(t)
	for from, want := range map[string]string{
		"s3:///a":                         "want s3://BUCKET/PREFIX",
		"s3://archive/a?format=ndjson":    "no other parameter than region",
		"gs://archive/a":                  "does not read gs://; want s3://BUCKET/PREFIX",
		"s3://missing/a?region=eu-west-1": "",
	} {
		source, err := objects.Buckets{"s3": s3.Open}.Open(t.Context(), from)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", from, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range source.List(t.Context()) {
			if err == nil || !strings.Contains(err.Error(), "list objects of s3://missing/a") || !strings.Contains(err.Error(), "create the bucket") {
				t.Errorf("error %v", err)
			}
		}
	}
	if _, err := s3.Open(t.Context(), &url.URL{Scheme: "s3", Host: "archive", RawQuery: "region=eu-west-1"}); err != nil {
		t.Error(err)
	}
}
