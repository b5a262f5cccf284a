package gcs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestReadObject(t *testing.T) {
	cloud := sinktest.New(t)
	if verdicts := sinktest.Open(t, sinktest.Parse(t, gcs.Parse, sinktest.ArchiveSink, sink.Options{})).Put(t.Context(), sinktest.Batch("s", 2)); verdicts != nil {
		t.Fatal(verdicts)
	}
	object := cloud.Objects(t)[0]
	stored := "gs://" + sinktest.Bucket + "/" + object.Attrs.Name
	for _, tt := range []struct {
		name, url string
		limit     int64
		err       string
	}{
		{"at the limit", stored, int64(len(object.Content)), ""},
		{"over the limit", stored, int64(len(object.Content)) - 1, "it has more than 15 bytes"},
		{"missing", "gs://" + sinktest.Bucket + "/nothing", 100, "read gs://archive/nothing: "},
		{"no name", "gs://archive/", 100, `"gs://archive/" is not an object; want gs://BUCKET/NAME`},
		{"no bucket", "gs:///schema.avsc", 100, "is not an object"},
		{"another scheme", "https://archive/schema.avsc", 100, "is not an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			content, err := gcs.ReadObject(ctx, tt.url, tt.limit)
			switch {
			case tt.err == "" && (err != nil || string(content) != string(object.Content)):
				t.Errorf("%q, %v", content, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestProbe_permissions(t *testing.T) {
	permissions := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/iam/testPermissions") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, answer)
			}
		}
	}
	for _, tt := range []struct {
		name, url string
		fault     http.HandlerFunc
		err       string
	}{
		{"granted", sinktest.ArchiveSink, permissions(`{"permissions":["storage.objects.create"]}`), ""},
		{"not granted", sinktest.ArchiveSink, permissions(`{}`), "grant roles/storage.objectCreator on it"},
		{"missing bucket", "gs://nowhere/changes", nil, "check bucket nowhere: "},
		{"emulator", sinktest.ArchiveSink, nil, ""},
		{"forbidden to ask", sinktest.ArchiveSink, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "check that it exists under this name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			cloud.FailStorage(tt.fault)
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := gcs.Parse(u, sink.Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err = spec.Probe(ctx)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// Google's client does not hold back what the archive writes side by side: the bucket takes
// no object until so many have arrived.
func TestCreate_sideBySide(t *testing.T) {
	const objects = 200
	var arrived atomic.Int64
	all := make(chan struct{})
	cloud := sinktest.New(t)
	cloud.FailStorage(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the server notices only then that a client is gone
		r.Body = io.NopCloser(bytes.NewReader(body))
		if arrived.Add(1) == objects {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
	})
	var batch sink.Batch
	for i := range objects {
		batch.Changes = append(batch.Changes, sinktest.One(fmt.Sprint("set", i), i))
	}
	verdicts := sinktest.Open(t, sinktest.Parse(t, gcs.Parse, sinktest.ArchiveSink, sink.Options{})).Put(t.Context(), batch)
	if verdicts != nil {
		t.Errorf("%d objects arrived, want %d at once; the first verdict: %v", arrived.Load(), objects, verdicts[0])
	}
}
