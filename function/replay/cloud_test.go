package replay_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// upload writes objects into the bucket.
func upload(t *testing.T, objects map[string][]byte) {
	t.Helper()
	client, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for name, content := range objects {
		w := client.Bucket(sinktest.Bucket).Object(name).NewWriter(t.Context())
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func archiveSpec(t *testing.T, text string) sink.Spec {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := gcs.Parse(u, sink.Options{Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	spec.URL = text
	return spec
}

// A file of credentials that cannot be used is named.
func TestRun_brokenCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	_, err := replay.Run(t.Context(), replay.Options{From: "gs://bucket/changes", Buckets: buckets, Out: io.Discard})
	if want := "replay: open bucket bucket: read credentials from GOOGLE_APPLICATION_CREDENTIALS=" + path; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// objectsOf returns the content of the objects with the prefix, by name.
func objectsOf(t *testing.T, cloud *sinktest.Cloud, prefix string) map[string]string {
	t.Helper()
	objects := map[string]string{}
	for _, o := range cloud.Objects(t) {
		if strings.HasPrefix(o.Attrs.Name, prefix) {
			objects[o.Attrs.Name] = string(o.Content)
		}
	}
	return objects
}

// parameters has the parameters of an archive for each extension in archives.
var parameters = map[string]string{
	".ndjson": "&compression=none", ".ndjson.gz": "&compression=gzip", ".ndjson.zst": "&compression=zstd", ".avro": "&format=avro", ".parquet": "&format=parquet",
}

// Archives of every format are replayed to another archive. A second replay does not
// change it, and it holds all changes.
func TestRun_archiveToArchive(t *testing.T) {
	const n = 1500
	changes := orders(n)
	cloud := sinktest.New(t)
	for ext, write := range archives {
		t.Run(ext, func(t *testing.T) {
			upload(t, map[string][]byte{"from" + ext + "/1" + ext: write(t, changes[:1200]), "from" + ext + "/2" + ext: write(t, changes[1200:])})
			target := archiveSpec(t, "gs://"+sinktest.Bucket+"/to"+ext+"?linger=0s"+parameters[ext])
			o, _ := options("gs://"+sinktest.Bucket+"/from"+ext+"/", target)
			if s := run(t, o); s.Changes != n || s.Objects != 2 {
				t.Errorf("%s", s)
			}
			first := objectsOf(t, cloud, "to"+ext+"/")
			run(t, o)
			if diff := cmp.Diff(first, objectsOf(t, cloud, "to"+ext+"/")); diff != "" || len(first) != 3 {
				t.Errorf("%d objects; after the second replay (-first +second):\n%s", len(first), diff)
			}
			var m memory
			back, _ := options("gs://"+sinktest.Bucket+"/to"+ext, m.spec())
			run(t, back)
			want := describe(changes)
			slices.Sort(want)
			slices.Sort(m.got)
			if diff := cmp.Diff(want, m.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An object with a wrong checksum is reported, and none of its changes is sent. The other
// objects are replayed.
func TestBucket_checksum(t *testing.T) {
	cloud := sinktest.New(t)
	changes := orders(30)
	upload(t, map[string][]byte{"a/1.ndjson": lines(t, changes[:10]), "a/2.ndjson": lines(t, changes[10:20]), "a/3.ndjson": lines(t, changes[20:])})
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") == "media" && strings.Contains(r.URL.Path, "2.ndjson") {
			w.Header().Set("X-Goog-Hash", "crc32c=AAAAAQ==")
			w.Header().Set("X-Goog-Generation", "1")
			_, _ = w.Write(bytes.Replace(lines(t, changes[10:20]), []byte("xxx"), []byte("xyx"), 1))
		}
	})
	var m memory
	o, out := options("gs://"+sinktest.Bucket+"/a", m.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Damaged != 1 || s.Objects != 3 || !strings.Contains(out.String(), "a/2.ndjson: damaged or deleted: CRC32C is") {
		t.Errorf("%s; error %v\n%s", s, err, out.String())
	}
	if diff := cmp.Diff(describe(slices.Concat(changes[:10], changes[20:])), m.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A failed read is retried. An object that is gone is reported.
func TestBucket_retry(t *testing.T) {
	cloud := sinktest.New(t)
	changes := orders(20)
	upload(t, map[string][]byte{"a/1.ndjson": lines(t, changes[:10]), "a/2.ndjson": lines(t, changes[10:])})
	var fetches atomic.Int32
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("alt") != "media":
		case strings.Contains(r.URL.Path, "1.ndjson"):
			w.WriteHeader(http.StatusNotFound)
		case fetches.Add(1) == 1:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	var m memory
	o, out := options("gs://"+sinktest.Bucket+"/a", m.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Damaged != 1 || fetches.Load() != 2 || !strings.Contains(out.String(), "read a/2.ndjson: retrying in 500ms: ") {
		t.Errorf("%s; error %v; %d fetches\n%s", s, err, fetches.Load(), out.String())
	}
	if diff := cmp.Diff(describe(changes[10:]), m.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A prefix is a folder, or one object; an empty one is the whole bucket.
func TestBucket_prefix(t *testing.T) {
	sinktest.New(t)
	text := lines(t, orders(1))
	upload(t, map[string][]byte{"a/b.ndjson": text, "a/b.ndjson.gz/c.ndjson": text, "a-old/b.ndjson": text})
	for from, want := range map[string]int{"": 3, "/": 3, "/a": 2, "/a/": 2, "/a-old": 1, "/a/b.ndjson": 1, "/a/b": 0, "/a/b.ndjson.gz/c.ndjson": 1} {
		o, _ := options("gs://" + sinktest.Bucket + from)
		o.AllowEmpty = want == 0
		if s := run(t, o); s.Objects != want {
			t.Errorf("%q: %s, want %d", from, s, want)
		}
	}
}

// A bucket that cannot be listed is an error.
func TestBucket_missing(t *testing.T) {
	sinktest.New(t)
	o, _ := options("gs://nowhere/a")
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "list objects of gs://nowhere/a") {
		t.Errorf("error %v", err)
	}
}

// A failed write to the archive is retried, and the archive has each change once.
func TestRun_archiveRetried(t *testing.T) {
	cloud := sinktest.New(t)
	var writes atomic.Int32
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		switch writes.Add(1) {
		case 1:
			w.WriteHeader(http.StatusForbidden)
		case 2: // finalised, and the answer is lost
			cloud.PassStorage(r)
			w.WriteHeader(http.StatusForbidden)
		}
	})
	changes := orders(10)
	o, _ := options(store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)}), archiveSpec(t, "gs://"+sinktest.Bucket+"/to?linger=0s"))
	run(t, o)
	if objects := objectsOf(t, cloud, "to"); len(objects) != 1 || writes.Load() != 3 {
		t.Errorf("%d objects after %d writes", len(objects), writes.Load())
	}
}

// An object whose path the filter rules out is not read.
func TestFilter_objectsNotRead(t *testing.T) {
	cloud := sinktest.New(t)
	target := archiveSpec(t, sinktest.ArchiveSink+"?linger=0s").New
	s, err := target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := orders(4)
	for i := range other {
		other[i].Namespace, other[i].LUT = "a b", other[i].LUT+int64(i)*time.Hour.Milliseconds()
	}
	for _, c := range append(orders(2), other...) {
		line, err := json.Format{}.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		if verdicts := s.Put(context.Background(), sink.Batch{Changes: []format.Parsed{{Change: c, Data: line[:len(line)-1], Format: "json"}}}); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int32
	cloud.FailStorage(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") == "media" {
			fetches.Add(1)
		}
	})
	var m memory
	o, _ := options(sinktest.ArchiveSink, m.spec())
	o.Filter.Namespaces = []string{"a b"}
	o.Filter.Since, o.Filter.Until = time.UnixMilli(other[1].LUT), time.UnixMilli(other[3].LUT)
	run(t, o)
	if diff := cmp.Diff(describe([]change.Change{other[1], other[2]}), m.got); diff != "" || fetches.Load() != 3 {
		t.Errorf("%d objects read, want 3 (-want +got):\n%s", fetches.Load(), diff)
	}
}
