package google

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
)

func TestSinks_Parse(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"pubsub://my-project/changes", ""},
		{"pubsub://my-project/changes?ordering=4096", ""},
		{"gs://bucket", ""},
		{"gs://bucket/a/b?format=ndjson&compression=gzip", ""},
		{"log:", ""},
		{"log:?data=true", ""},
		{"", "unknown kind of sink"},
		{"kafka://a/b", "want one of log:, pubsub://PROJECT/TOPIC and gs://BUCKET/PREFIX"},
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
