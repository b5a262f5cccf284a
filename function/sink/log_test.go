package sink_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func open(t *testing.T, text string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, sink.ParseLog, text, o))
}

func TestLogSink(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"log:", `write namespace="shop" set="s" digest=AQAAAAAAAAAAAAAAAAAAAAAAAAA= generation=1 lut=1795350896790` + "\n"},
		{"log:?data=true", `write namespace="shop" set="s" digest=AQAAAAAAAAAAAAAAAAAAAAAAAAA= generation=1 lut=1795350896790 {"i":1}` + "\n"},
	} {
		var out bytes.Buffer
		if verdicts := open(t, tt.url, sink.Options{Log: &out}).Put(t.Context(), sink.Batch{Changes: []format.Parsed{sinktest.One("s", 1)}}); verdicts != nil {
			t.Fatal(verdicts)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, diff)
		}
	}
	broken := open(t, "log:", sink.Options{Log: brokenWriter{}})
	if verdicts := broken.Put(t.Context(), sinktest.Batch("s", 2)); len(verdicts) != 2 || slices.Contains(verdicts, nil) {
		t.Errorf("verdicts %v of a log that cannot be written, want two errors", verdicts)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }
