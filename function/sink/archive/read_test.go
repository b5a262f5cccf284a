package archive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestReadObject(t *testing.T) {
	cloud := sinktest.New(t)
	if verdicts := open(t, sinktest.ArchiveSink, sink.Options{}).Put(t.Context(), sinktest.Batch("s", 2)); verdicts != nil {
		t.Fatal(verdicts)
	}
	object := cloud.Objects(t)[0]
	there := "gs://" + sinktest.Bucket + "/" + object.Attrs.Name
	for _, tt := range []struct {
		name, url string
		limit     int64
		err       string
	}{
		{"as large as may be", there, int64(len(object.Content)), ""},
		{"too large", there, int64(len(object.Content)) - 1, "it has more than 15 bytes"},
		{"not there", "gs://" + sinktest.Bucket + "/nothing", 100, "read gs://archive/nothing: "},
		{"no name", "gs://archive/", 100, `"gs://archive/" is no object; write gs://BUCKET/NAME`},
		{"no bucket", "gs:///schema.avsc", 100, "is no object"},
		{"of another kind", "https://archive/schema.avsc", 100, "is no object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			content, err := archive.ReadObject(ctx, tt.url, tt.limit)
			switch {
			case tt.err == "" && (err != nil || string(content) != string(object.Content)):
				t.Errorf("%q, %v", content, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
