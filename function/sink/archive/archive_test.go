package archive_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func open(t *testing.T, text string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, sinktest.Parse(t, gcs.Parse, text, o))
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

// A change in a binary format is archived as JSON. One that JSON cannot express is refused
// for good, and no other.
func TestPut_binaryFormats(t *testing.T) {
	cloud := sinktest.New(t)
	good, bad := sinktest.One("orders", 1), sinktest.One("lonely", 2)
	good.Data, good.Format = []byte{0x93, '\n', 0}, "message-pack"
	good.Change.Bins = []change.Bin{{Name: "i", Value: change.IntegerValue(1)}}
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01}) // its key is a list
	if err != nil {
		t.Fatal(err)
	}
	bad.Data, bad.Format = good.Data, "xdr"
	bad.Change.Bins = []change.Bin{{Name: "secrets", Value: list}}
	verdicts := open(t, sinktest.ArchiveSink, sink.Options{}).Put(t.Context(), sink.Batch{Changes: []format.Parsed{bad, good}})
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

func TestPut_folders(t *testing.T) {
	later := sinktest.One("orders", 3)
	later.Change.LUT = sinktest.Hour.Add(time.Hour).UnixMilli()
	undated, noSet, escaped := sinktest.One("orders", 4), sinktest.One("", 5), sinktest.One("a/b=c d+é", 6)
	undated.Change.LUT = 0
	pretty := sinktest.One("orders", 7)
	pretty.Data = []byte("{\n  \"i\": 7\n}")
	b := sink.Batch{Changes: []format.Parsed{sinktest.One("orders", 1), later, undated, sinktest.One("orders", 0), noSet, escaped, pretty}}

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

// A repeated batch has the same object name, another batch has another.
func TestPut_objectNames(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{})
	for _, b := range []sink.Batch{sinktest.Batch("s", 2), sinktest.Batch("s", 2), sinktest.Batch("s", 3)} {
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	if n := len(cloud.Objects(t)); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
}

// A change whose folder would be too long is refused for good, and no other. Its dead
// letter is stored in the folder of those without metadata.
func TestPut_longFolder(t *testing.T) {
	cloud := sinktest.New(t)
	s := open(t, sinktest.ArchiveSink, sink.Options{})
	long, good := sinktest.One(strings.Repeat("é", 200), 1), sinktest.One("orders", 2)
	verdicts := s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{long, good}})
	if verdicts == nil || verdicts[1] != nil || !change.IsPermanent(verdicts[0]) {
		t.Errorf("verdicts %v, want a permanent one on the first", verdicts)
	}
	letter := sink.DeadLetter{Reason: "too long", Received: sinktest.Hour}
	if verdicts := s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{long}, DeadLetters: []sink.DeadLetter{letter}}); verdicts != nil {
		t.Errorf("dead letter: %v", verdicts)
	}
	var folders []string
	for _, o := range cloud.Objects(t) {
		folders = append(folders, path.Dir(o.Attrs.Name))
	}
	want := []string{
		"changes/namespace=__HIVE_DEFAULT_PARTITION__/set=__HIVE_DEFAULT_PARTITION__/dt=2026-11-22/hour=12",
		"changes/namespace=shop/set=orders/dt=2026-11-22/hour=12",
	}
	if diff := cmp.Diff(want, folders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
