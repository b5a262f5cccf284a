package archive_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/linkedin/goavro/v2"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// mixed returns n changes of 40 KB with a bin each.
func mixed(n int) sink.Batch {
	b := sinktest.Batch("orders", n)
	for i := range b.Changes {
		p := &b.Changes[i]
		p.Data = fmt.Appendf(nil, `{"i":%d,"text":%q}`, i, strings.Repeat("x", 40_000))
		p.Change.Bins = []change.Bin{{Name: "i", Value: change.IntegerValue(int64(i))}}
	}
	return b
}

// Objects of every format have their changes in order, and the right name, media type and
// metadata.
func TestPut_formats(t *testing.T) {
	for _, tt := range []struct {
		query, suffix, mediaType string
		metadata                 map[string]string
		read                     func(t *testing.T, content []byte) []int
	}{
		{"", ".ndjson", "application/x-ndjson", map[string]string{"format": "ndjson", "compression": "none"}, readLines},
		{"?compression=gzip", ".ndjson.gz", "application/gzip", map[string]string{"format": "ndjson", "compression": "gzip"}, readGzip},
		{"?compression=zstd", ".ndjson.zst", "application/zstd", map[string]string{"format": "ndjson", "compression": "zstd"}, readZstd},
		{"?format=avro", ".avro", "application/avro", map[string]string{"format": "avro", "compression": "snappy", "schema": "1"}, readAvro},
		{"?format=avro&compression=none", ".avro", "application/avro", map[string]string{"format": "avro", "compression": "none", "schema": "1"}, readAvro},
		{"?format=avro&compression=deflate", ".avro", "application/avro", map[string]string{"format": "avro", "compression": "deflate", "schema": "1"}, readAvro},
		{"?format=parquet", ".parquet", "application/vnd.apache.parquet", map[string]string{"format": "parquet", "compression": "zstd", "schema": "1"}, readParquet},
		{"?format=parquet&compression=snappy", ".parquet", "application/vnd.apache.parquet", map[string]string{"format": "parquet", "compression": "snappy", "schema": "1"}, readParquet},
	} {
		t.Run(tt.query, func(t *testing.T) {
			cloud := sinktest.New(t)
			s := open(t, sinktest.ArchiveSink+tt.query, sink.Options{})
			for range 2 { // the second time changes nothing
				if verdicts := s.Put(t.Context(), mixed(5)); verdicts != nil {
					t.Fatal(verdicts[0])
				}
			}
			objects := cloud.Objects(t)
			if len(objects) != 1 {
				t.Fatalf("%d objects, want 1", len(objects))
			}
			o := objects[0]
			if got, want := tt.read(t, o.Content), []int{0, 1, 2, 3, 4}; !cmp.Equal(got, want) {
				t.Errorf("changes %d, want %d", got, want)
			}
			if !strings.HasSuffix(o.Attrs.Name, tt.suffix) || o.Attrs.ContentType != tt.mediaType || o.Attrs.ContentEncoding != "" {
				t.Errorf("%s is %s, encoding %q", o.Attrs.Name, o.Attrs.ContentType, o.Attrs.ContentEncoding)
			}
			want := tt.metadata
			want["changes"], want["writer"] = "5", "aerosink/devel"
			want["lut-min"], want["lut-max"] = "1795350896789", "1795350896793"
			want["crc32c"] = fmt.Sprintf("%08x", crc32.Checksum(o.Content, crc32.MakeTable(crc32.Castagnoli)))
			if diff := cmp.Diff(want, o.Attrs.Metadata); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func readLines(t *testing.T, content []byte) (is []int) {
	t.Helper()
	for line := range bytes.Lines(content) {
		var i int
		if _, err := fmt.Sscanf(string(line), `{"i":%d,`, &i); err != nil || !bytes.HasSuffix(line, []byte("\"}\n")) {
			t.Fatalf("line of %d bytes: %v", len(line), err)
		}
		is = append(is, i)
	}
	return is
}

func readGzip(t *testing.T, content []byte) []int {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	return readAll(t, r, err)
}

func readZstd(t *testing.T, content []byte) []int {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(content))
	return readAll(t, r, err)
}

func readAll(t *testing.T, r io.Reader, err error) []int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return readLines(t, text)
}

func readAvro(t *testing.T, content []byte) []int {
	t.Helper()
	independent, err := goavro.NewOCFReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; independent.Scan(); n++ {
		if _, err := independent.Read(); err != nil {
			t.Fatal(err)
		}
	}
	is := readRows(t, row.ReadAvro(bytes.NewReader(content)))
	if len(is) != n {
		t.Errorf("%d rows, goavro reads %d", len(is), n)
	}
	return is
}

func readParquet(t *testing.T, content []byte) []int {
	t.Helper()
	return readRows(t, row.ReadParquet(bytes.NewReader(content), int64(len(content))))
}

func readRows(t *testing.T, rows iter.Seq2[change.Change, error]) (is []int) {
	t.Helper()
	for c, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		is = append(is, int(c.Bins[0].Value.Integer()))
	}
	return is
}

// Dead letters without bytes are stored once for each change, though only the metadata tells
// them apart.
func TestPut_deadLettersWithoutBytes(t *testing.T) {
	cloud := sinktest.New(t)
	for i := range 4 {
		p := sinktest.One("orders", i/2)
		p.Data = nil
		letter := sink.DeadLetter{MediaType: "application/octet-stream", Reason: "over the limit", Offset: sink.UnknownOffset, Size: 9_000_000, Received: sinktest.Hour}
		s := open(t, sinktest.ArchiveSink, sink.Options{}) // with an empty index
		if verdicts := s.Put(t.Context(), sink.Batch{Changes: []format.Parsed{p}, DeadLetters: []sink.DeadLetter{letter}}); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	digests := map[string]bool{}
	objects := cloud.Objects(t)
	for _, o := range objects {
		letter, err := deadletter.ParseLine(o.Content)
		if err != nil || letter.Size != 9_000_000 || letter.Message != nil || letter.Offset != nil {
			t.Errorf("%+v, %v", letter, err)
		}
		digests[string(letter.Digest)] = true
	}
	if len(objects) != 2 || len(digests) != 2 {
		t.Errorf("%d objects of %d records, want 2 of 2", len(objects), len(digests))
	}
}

// Dead letters are lines in any format of archive, in the folder of the hour in which they
// were received. The same dead letter in two requests is stored once.
func TestPut_deadLetters(t *testing.T) {
	letters := func(request string) sink.Batch {
		whole := sinktest.One("orders", 1)
		whole.Data = []byte{1, 2, 3}
		empty := format.Parsed{Data: []byte("{")}
		letter := sink.DeadLetter{MediaType: "application/json", Reason: "not JSON", Offset: 7, Request: request, Received: sinktest.Hour.Add(5 * time.Hour)}
		return sink.Batch{Changes: []format.Parsed{whole, empty}, DeadLetters: []sink.DeadLetter{letter, letter}}
	}
	for query, suffix := range map[string]string{"": ".ndjson", "?compression=gzip": ".ndjson.gz", "?format=avro&compression=deflate": ".ndjson", "?format=parquet": ".ndjson.zst"} {
		t.Run(query, func(t *testing.T) {
			cloud := sinktest.New(t)
			for _, request := range []string{"first", "second"} {
				s := open(t, sinktest.ArchiveSink+query, sink.Options{}) // with an empty index
				if verdicts := s.Put(t.Context(), letters(request)); verdicts != nil {
					t.Fatal(verdicts)
				}
			}
			want := []string{
				"changes/namespace=__HIVE_DEFAULT_PARTITION__/set=__HIVE_DEFAULT_PARTITION__/dt=2026-11-22/hour=17",
				"changes/namespace=shop/set=orders/dt=2026-11-22/hour=17",
			}
			var got []string
			for _, o := range cloud.Objects(t) {
				got = append(got, path.Dir(o.Attrs.Name))
				if !strings.HasSuffix(o.Attrs.Name, suffix) || o.Attrs.Metadata["changes"] != "1" || o.Attrs.Metadata["format"] != "ndjson" {
					t.Errorf("%s: %v", o.Attrs.Name, o.Attrs.Metadata)
				}
				if query == "" {
					letter, err := deadletter.ParseLine(o.Content)
					if err != nil || letter.Reason != "not JSON" || letter.Request != "first" || len(letter.Message) == 0 {
						t.Errorf("%+v, %v", letter, err)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
