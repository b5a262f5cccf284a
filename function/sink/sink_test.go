package sink_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	_ "github.com/aerosink/aerosink/connector/change/changetest" // the flag -update
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func open(t *testing.T, url string, o sink.Options) sink.Sink {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	spec, err := sink.Parse(url, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var hour = time.Date(2026, 11, 22, 12, 34, 56, 789_000_000, time.UTC)

// one returns change i of a set, with its bytes.
func one(set string, i int) format.Parsed {
	c := change.Change{Namespace: "shop", Set: set, Digest: change.Digest{byte(i), byte(i >> 8)}, Generation: 1, LUT: hour.UnixMilli() + int64(i)}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, `{"i":%d}`, i), Format: "json"}
}

func batch(set string, n int) []format.Parsed {
	var b []format.Parsed
	for i := range n {
		b = append(b, one(set, i))
	}
	return b
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"pubsub://my-project/changes", ""},
		{"pubsub://my-project/changes?ordering=4096", ""},
		{"gs://bucket", ""},
		{"gs://bucket/a/b?format=ndjson&compression=gzip", ""},
		{"log:", ""},
		{"log:?data=true", ""},
		{"", "unknown kind of sink"},
		{"kafka://a/b", "the kinds are log:, pubsub://PROJECT/TOPIC and gs://BUCKET/PREFIX"},
		{"::", "is no URL"},
		{"pubsub://my-project", "write pubsub://PROJECT/TOPIC"},
		{"pubsub:///topic", "write pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/a/b", "write pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/ab", "write pubsub://PROJECT/TOPIC"},
		{"pubsub://my-project/changes?ordering=5000", "ordering=5000 is no number between 0 and 4096"},
		{"pubsub://my-project/changes?ordering=yes", "ordering=yes is no number"},
		{"pubsub://my-project/changes?order=1", "unknown parameter order; known are ordering"},
		{"pubsub://my-project/changes?ordering=1&ordering=2", "parameter ordering twice"},
		{"gs:///prefix", "write gs://BUCKET/PREFIX"},
		{"gs://bucket?format=csv", "format=csv is none of ndjson"},
		{"gs://bucket?compression=zip", "compression=zip is none of none, gzip"},
		{"log:?data=maybe", "data=maybe is none of false, true"},
		{"log://host", "write log:"},
	} {
		spec, err := sink.Parse(tt.url, sink.Options{})
		switch {
		case tt.err == "" && (err != nil || spec.String() != tt.url):
			t.Errorf("%q: %v, %v", tt.url, spec, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.url)):
			t.Errorf("%q: error %v, want one that says %q", tt.url, err, tt.err)
		}
	}
}

func TestPubSubMessage(t *testing.T) {
	digest := change.Digest{0x5f, 0xe3, 0xb7} // partition 0x35f
	for _, tt := range []struct {
		name string
		c    change.Change
		want map[string]string
	}{
		{
			"a write of which all is known",
			change.Change{Namespace: "shop", Set: "orders", Digest: digest, Generation: 7, LUT: 1735689600123, Expiry: 1893456000},
			map[string]string{"format": "json", "namespace": "shop", "set": "orders", "op": "write", "digest": digest.String(), "generation": "7", "lut": "1735689600123", "expiry": "1893456000", "partition": "863"},
		},
		{
			"a write that never expires",
			change.Change{Namespace: "shop", Digest: digest},
			map[string]string{"format": "json", "namespace": "shop", "op": "write", "digest": digest.String(), "expiry": "0", "partition": "863"},
		},
		{
			"a write of which little is known",
			change.Change{Namespace: "shop", Digest: digest, Expiry: change.ExpiryUnknown},
			map[string]string{"format": "json", "namespace": "shop", "op": "write", "digest": digest.String(), "partition": "863"},
		},
		{
			"a durable delete",
			change.Change{Op: change.DurableDelete, Namespace: "shop", Set: "orders", Digest: digest, Generation: 8, LUT: 1},
			map[string]string{"format": "json", "namespace": "shop", "set": "orders", "op": "durable-delete", "digest": digest.String(), "generation": "8", "lut": "1", "partition": "863"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			s := open(t, sinktest.PubSubSink+"?ordering=256", sink.Options{})
			if verdicts := s.Put(t.Context(), []format.Parsed{{Change: tt.c, Data: []byte(`{"as":"it came"}`), Format: "json"}}); verdicts != nil {
				t.Fatal(verdicts)
			}
			m := cloud.Messages()[0]
			if diff := cmp.Diff(tt.want, m.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if string(m.Data) != `{"as":"it came"}` || m.OrderingKey != "95" {
				t.Errorf("data %s, ordering key %q", m.Data, m.OrderingKey)
			}
		})
	}
}

func TestPubSubOrderingKeys(t *testing.T) {
	for _, tt := range []struct {
		parameter string
		want      int // different keys
	}{{"", 1}, {"?ordering=1", 1}, {"?ordering=16", 16}, {"?ordering=4096", 300}} {
		cloud := sinktest.New(t)
		if verdicts := open(t, sinktest.PubSubSink+tt.parameter, sink.Options{}).Put(t.Context(), batch("s", 300)); verdicts != nil {
			t.Fatal(verdicts)
		}
		keys := map[string]bool{}
		for _, m := range cloud.Messages() {
			keys[m.OrderingKey] = true
		}
		if len(keys) != tt.want {
			t.Errorf("%q: %d keys, want %d", tt.parameter, len(keys), tt.want)
		}
	}
}

// A publish that fails fails its changes and no others, and can be tried again at
// once, also of a key that failed.
func TestPubSubFailure(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.PubSubSink+"?ordering=4", sink.Options{})
	cloud.FailPublish(func(r *pubsubpb.PublishRequest) error {
		if r.Messages[0].OrderingKey == "2" {
			return status.Error(codes.PermissionDenied, "not you")
		}
		return nil
	})
	b := batch("s", 8)
	verdicts := s.Put(t.Context(), b)
	if len(verdicts) != len(b) {
		t.Fatalf("%d verdicts", len(verdicts))
	}
	for i, err := range verdicts {
		if failed := i%4 == 2; failed != (err != nil) || change.IsPermanent(err) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := len(cloud.Messages()); n != 6 {
		t.Errorf("%d messages published, want 6", n)
	}
	cloud.FailPublish(nil)
	if verdicts := s.Put(t.Context(), []format.Parsed{b[2], b[6]}); verdicts != nil {
		t.Errorf("tried again: %v", verdicts)
	}
	if n := len(cloud.Messages()); n != 8 {
		t.Errorf("%d messages published, want 8", n)
	}
}

// What passes is tried again within the time there is; what does not ends in time.
func TestPubSubUnavailable(t *testing.T) {
	cloud := sinktest.New(t)
	var calls atomic.Int64
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		if calls.Add(1) == 1 {
			return status.Error(codes.Unavailable, "in a moment")
		}
		return nil
	})
	if verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), batch("s", 1)); verdicts != nil {
		t.Errorf("unavailable for a moment: %v", verdicts)
	}
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error { return status.Error(codes.Unavailable, "not today") })
	s := open(t, sinktest.PubSubSink, sink.Options{Timeout: 200 * time.Millisecond})
	if verdicts := s.Put(t.Context(), batch("s", 1)); verdicts == nil || change.IsPermanent(verdicts[0]) {
		t.Errorf("unavailable: %v", verdicts)
	}
}

func TestPubSubOversizedMessage(t *testing.T) {
	sinktest.New(t)
	b := batch("s", 2)
	b[0].Data = bytes.Repeat([]byte("x"), 10_000_001)
	verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), b)
	if verdicts == nil || !change.IsPermanent(verdicts[0]) || verdicts[1] != nil {
		t.Errorf("verdicts %v, want a permanent one on the first", verdicts)
	}
}

func TestPubSubCancelled(t *testing.T) {
	cloud := sinktest.New(t)
	release := make(chan struct{})
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error { <-release; return nil })
	s := open(t, sinktest.PubSubSink, sink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if verdicts := s.Put(ctx, batch("s", 1)); verdicts == nil || !errors.Is(verdicts[0], context.Canceled) {
		t.Errorf("verdicts %v, want cancelled", verdicts)
	}
	close(release)
}

func lines(t *testing.T, o sinktest.Object) string {
	t.Helper()
	if !strings.HasSuffix(o.Attrs.Name, ".gz") {
		return string(o.Content)
	}
	r, err := gzip.NewReader(bytes.NewReader(o.Content))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A change in a binary format is archived as JSON, so that an object is what its
// name says; one that JSON has no form for is refused, alone and for good.
func TestArchiveOfBinaryFormats(t *testing.T) {
	cloud := sinktest.New(t)
	good, bad := one("orders", 1), one("lonely", 2)
	good.Data, good.Format = []byte{0x93, '\n', 0}, "message-pack"
	good.Change.Bins = []change.Bin{{Name: "i", Value: change.IntegerValue(1)}}
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01}) // its key is a list
	if err != nil {
		t.Fatal(err)
	}
	bad.Data, bad.Format = good.Data, "xdr"
	bad.Change.Bins = []change.Bin{{Name: "secrets", Value: list}}
	verdicts := open(t, sinktest.ArchiveSink, sink.Options{}).Put(t.Context(), []format.Parsed{bad, good})
	if verdicts == nil || verdicts[1] != nil || !change.IsPermanent(verdicts[0]) || !strings.Contains(verdicts[0].Error(), "a map key is of kind list") {
		t.Errorf("verdicts %v, want a permanent one on the first", verdicts)
	}
	objects := cloud.Objects(t)
	if len(objects) != 1 {
		t.Fatalf("%d objects, want 1", len(objects))
	}
	want := `{"msg":"write","key":["shop","orders","AQAAAAAAAAAAAAAAAAAAAAAAAAA=",null],"gen":1,"exp":0,"lut":1795350896790,"bins":[{"name":"i","type":"int","value":1}]}` + "\n"
	if got := string(objects[0].Content); got != want {
		t.Errorf("object %s, want %s", got, want)
	}
}

func TestArchiveObjects(t *testing.T) {
	later := one("orders", 3)
	later.Change.LUT = hour.Add(time.Hour).UnixMilli()
	undated, homeless, odd := one("orders", 4), one("", 5), one("a/b=c d+é", 6)
	undated.Change.LUT = 0
	pretty := one("orders", 7)
	pretty.Data = []byte("{\n  \"i\": 7\n}")
	b := []format.Parsed{one("orders", 1), later, undated, one("orders", 0), homeless, odd, pretty}

	for _, compression := range []string{"none", "gzip"} {
		t.Run(compression, func(t *testing.T) {
			cloud := sinktest.New(t)
			s := open(t, sinktest.ArchiveSink+"?format=ndjson&compression="+compression, sink.Options{})
			for range 2 { // the second time changes nothing
				if verdicts := s.Put(t.Context(), b); verdicts != nil {
					t.Fatal(verdicts)
				}
			}
			suffix, mediaType := ".ndjson", "application/x-ndjson"
			if compression == "gzip" {
				suffix, mediaType = ".ndjson.gz", "application/gzip"
			}
			got := map[string]string{}
			for _, o := range cloud.Objects(t) {
				got[path.Dir(o.Attrs.Name)] += lines(t, o)
				if !strings.HasSuffix(o.Attrs.Name, suffix) || o.Attrs.ContentType != mediaType || o.Attrs.ContentEncoding != "" {
					t.Errorf("%s is %s %s", o.Attrs.Name, o.Attrs.ContentType, o.Attrs.ContentEncoding)
				}
			}
			want := map[string]string{
				"changes/namespace=shop/set=orders/dt=2026-11-22/hour=12":                                         "{\"i\":1}\n{\"i\":0}\n{\"i\":7}\n",
				"changes/namespace=shop/set=orders/dt=2026-11-22/hour=13":                                         "{\"i\":3}\n",
				"changes/namespace=shop/set=orders/dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__": "{\"i\":4}\n",
				"changes/namespace=shop/set=__HIVE_DEFAULT_PARTITION__/dt=2026-11-22/hour=12":                     "{\"i\":5}\n",
				"changes/namespace=shop/set=a%2Fb%3Dc%20d%2B%C3%A9/dt=2026-11-22/hour=12":                         "{\"i\":6}\n",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The same batch has the same name, another has another.
func TestArchiveNames(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{})
	for _, b := range [][]format.Parsed{batch("s", 2), batch("s", 2), batch("s", 3)} {
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	if n := len(cloud.Objects(t)); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
}

func isUpload(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/upload/") }

// A write that fails fails its changes, and those alone; trying again succeeds.
func TestArchiveFailure(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
	}{{"forbidden", http.StatusForbidden}, {"no bucket", http.StatusNotFound}, {"too many", http.StatusTooManyRequests}, {"broken", http.StatusServiceUnavailable}} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			s := open(t, sinktest.ArchiveSink, sink.Options{Timeout: time.Second})
			cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if isUpload(r) && bytes.Contains(body, []byte("set=bad")) {
					w.WriteHeader(tt.status)
				}
			})
			b := []format.Parsed{one("good", 1), one("bad", 2), one("good", 3)}
			verdicts := s.Put(t.Context(), b)
			if len(verdicts) != 3 || verdicts[0] != nil || verdicts[1] == nil || change.IsPermanent(verdicts[1]) || verdicts[2] != nil {
				t.Fatalf("verdicts %v, want an error on the second", verdicts)
			}
			cloud.FailStorage(nil)
			if verdicts := s.Put(t.Context(), b); verdicts != nil {
				t.Errorf("tried again: %v", verdicts)
			}
			if n := len(cloud.Objects(t)); n != 2 {
				t.Errorf("%d objects, want 2", n)
			}
		})
	}
}

// The object was written, and the answer never came.
func TestArchiveAnswerLost(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{Timeout: time.Second})
	var lost atomic.Bool
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if isUpload(r) && lost.CompareAndSwap(false, true) {
			cloud.PassStorage(r)
			panic(http.ErrAbortHandler)
		}
	})
	if verdicts := s.Put(t.Context(), batch("s", 2)); verdicts == nil {
		t.Log("the client tried again by itself")
	}
	if verdicts := s.Put(t.Context(), batch("s", 2)); verdicts != nil {
		t.Errorf("tried again: %v", verdicts)
	}
	if n := len(cloud.Objects(t)); n != 1 || !lost.Load() {
		t.Errorf("%d objects, want 1", n)
	}
}

// A write that takes too long ends, and leaves nothing behind.
func TestArchiveTimeout(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{Timeout: 50 * time.Millisecond})
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if isUpload(r) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
	})
	verdicts := s.Put(t.Context(), batch("s", 2))
	if len(verdicts) != 2 || change.IsPermanent(verdicts[0]) || !errors.Is(verdicts[0], context.DeadlineExceeded) {
		t.Errorf("verdicts %v, want a deadline exceeded", verdicts)
	}
	cloud.FailStorage(nil)
	if n := len(cloud.Objects(t)); n != 0 {
		t.Errorf("%d objects, want none", n)
	}
}

func TestLog(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"log:", `write namespace="shop" set="s" digest=AQAAAAAAAAAAAAAAAAAAAAAAAAA= generation=1 lut=1795350896790` + "\n"},
		{"log:?data=true", `write namespace="shop" set="s" digest=AQAAAAAAAAAAAAAAAAAAAAAAAAA= generation=1 lut=1795350896790 {"i":1}` + "\n"},
	} {
		var out bytes.Buffer
		if verdicts := open(t, tt.url, sink.Options{Log: &out}).Put(t.Context(), []format.Parsed{one("s", 1)}); verdicts != nil {
			t.Fatal(verdicts)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, diff)
		}
	}
	full := open(t, "log:", sink.Options{Log: brokenWriter{}})
	if verdicts := full.Put(t.Context(), batch("s", 2)); len(verdicts) != 2 || slices.Contains(verdicts, nil) {
		t.Errorf("verdicts %v of a log that cannot be written", verdicts)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }
