package google

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestSinks_Parse(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"pubsub://my-project/changes", ""},
		{"pubsub://my-project/changes?ordering=4096", ""},
		{"gs://bucket", ""},
		{"gs://bucket/a/b?format=ndjson&compression=gzip", ""},
		{"log:", ""},
		{"log:?data=true", ""},
		{"aerospike://a:3000,b,[::1]:3000/archive/raw?mode=raw&from=shop", ""},
		{"aerospike://a/shop?mode=records", ""},
		{"", "unknown kind of sink"},
		{"kafka://a/b", "want one of log:, pubsub://PROJECT/TOPIC, gs://BUCKET/PREFIX and aerospike://HOST:PORT/NAMESPACE"},
		{"::", "is not a URL"},
		{"pubsub://my-project", "want pubsub://PROJECT/TOPIC"},
		{"pubsub:///topic", "want pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/a/b", "want pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/ab", "want pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/changes?ordering=5000", "invalid number ordering=5000: want 0 to 4096"},
		{"pubsub://my-project/changes?ordering=yes", "invalid number ordering=yes"},
		{"pubsub://my-project/changes?order=1", "unknown parameter order; known are ordering"},
		{"pubsub://my-project/changes?ordering=1&ordering=2", "parameter ordering twice"},
		{"gs:///prefix", "want gs://BUCKET/PREFIX"},
		{"gs://bucket?format=csv", "invalid format=csv: want one of ndjson"},
		{"gs://bucket?compression=zip", "invalid compression=zip: want one of none, gzip"},
		{"log:?data=maybe", "invalid data=maybe: want one of false, true"},
		{"log://host", "want log:"},
		{"aerospike://a", "want aerospike://HOST:PORT/NAMESPACE"},
	} {
		spec, err := Sinks().Parse(tt.url, sink.Options{})
		switch {
		case tt.err == "" && (err != nil || spec.String() != tt.url):
			t.Errorf("%q: %v, %v", tt.url, spec, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.url)):
			t.Errorf("%q: error %v, want one with %q", tt.url, err, tt.err)
		}
	}
}

// A file of credentials that cannot be used is named, whatever needs it.
func TestSinks_credentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	t.Setenv("PUBSUB_EMULATOR_HOST", "")
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	want := "read credentials from GOOGLE_APPLICATION_CREDENTIALS=" + path + ": unexpected end of JSON input"
	wantError := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", what, err, want)
		}
	}
	for _, url := range []string{"pubsub://my-project/changes", "gs://bucket/changes"} {
		spec, err := Sinks().Parse(url, sink.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = spec.Open(t.Context())
		wantError("open "+url, err)
		wantError("probe "+url, spec.Probe(t.Context()))
	}
	_, err := Sinks().ReadObject(t.Context(), "gs://bucket/schema.avsc", 1)
	wantError("read an object", err)

	// An emulator needs no credentials.
	sinktest.New(t)
	for _, url := range []string{sinktest.PubSubSink, sinktest.ArchiveSink} {
		spec, err := Sinks().Parse(url, sink.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := spec.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(spec.Probe(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	}
}
