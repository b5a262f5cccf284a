package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/gcs"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// memory is a sink that remembers what it was given.
type memory struct {
	// verdict, unless nil, is asked for the verdict on each change. It is called for one
	// at a time.
	verdict func(p *format.Parsed) error

	mu   sync.Mutex
	got  []string // the changes that it has, as stories describe them
	puts []int    // how many changes each Put had
}

func (m *memory) spec() sink.Spec {
	return sink.Spec{URL: "memory:", Bins: true, New: func(context.Context) (sink.Sink, error) { return m, nil }}
}

// Put implements sink.Sink.
func (m *memory) Put(_ context.Context, b sink.Batch) (verdicts sink.Verdicts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts = append(m.puts, len(b.Changes))
	for i := range b.Changes {
		var err error
		if m.verdict != nil {
			err = m.verdict(&b.Changes[i])
		}
		if err == nil {
			m.got = append(m.got, string(changetest.Describe(&b.Changes[i].Change)))
		}
		verdicts.Set(len(b.Changes), i, err)
	}
	return verdicts
}

// Close implements sink.Sink.
func (m *memory) Close() error { return nil }

// buckets are the kinds of buckets that these tests read from.
var buckets = objects.Buckets{"gs": gcs.Open}

var parser = formats.Parser{MetadataKey: "metadata"}

// options returns options for a replay of a folder or bucket into the sinks, and the output.
func options(from string, to ...sink.Spec) (replay.Options, *changetest.Output) {
	var out changetest.Output
	return replay.Options{From: from, Buckets: buckets, To: to, Parser: parser, Out: &out}, &out
}

// run replays, and fails the test if that is incomplete.
func run(t *testing.T, o replay.Options) replay.Summary {
	t.Helper()
	s, err := runOnce(t, o)
	if err = errors.Join(err, s.Err()); err != nil {
		t.Fatalf("%v\n%v", err, o.Out)
	}
	return s
}

// runOnce replays.
func runOnce(t *testing.T, o replay.Options) (replay.Summary, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // it would retry for ever
	defer cancel()
	return replay.Run(ctx, o)
}

// orders returns n changes whose bins every format can express.
func orders(n int) []change.Change {
	changes := make([]change.Change, n)
	for i := range changes {
		changes[i] = change.Change{
			Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 8), byte(i >> 16)}, Generation: 1,
			LUT:  sinktest.Hour.UnixMilli() + int64(i),
			Bins: []change.Bin{{Name: "n", Value: change.IntegerValue(int64(i))}, {Name: "text", Value: change.StringValue(bytes.Repeat([]byte("x"), 10))}},
		}
	}
	return changes
}

func describe(changes []change.Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, string(changetest.Describe(&c)))
	}
	return all
}

// lines returns changes as lines, alternately in JSON and flat JSON.
func lines(t testing.TB, changes []change.Change) (text []byte) {
	t.Helper()
	for i := range changes {
		var f format.Format = json.Format{}
		if i%2 == 1 {
			f = json.Flat{MetadataKey: "metadata"}
		}
		var err error
		if text, err = f.Append(text, &changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rows(t testing.TB, changes []change.Change) []row.Row {
	t.Helper()
	all := make([]row.Row, len(changes))
	for i, c := range changes {
		var err error
		if all[i], err = row.Of(&format.Parsed{Change: c}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// archives has a function for each format of archives that writes changes, by extension.
var archives = map[string]func(t testing.TB, changes []change.Change) []byte{
	".ndjson":    lines,
	".ndjson.gz": func(t testing.TB, changes []change.Change) []byte { return zipped(t, lines(t, changes)) },
	".ndjson.zst": func(t testing.TB, changes []change.Change) []byte {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(lines(t, changes), nil)
	},
	".avro": func(t testing.TB, changes []change.Change) []byte {
		b, err := row.AvroFile(rows(t, changes), "deflate")
		if err != nil {
			t.Fatal(err)
		}
		return b
	},
	".parquet": func(t testing.TB, changes []change.Change) []byte {
		b, err := row.ParquetFile(rows(t, changes), "zstd")
		if err != nil {
			t.Fatal(err)
		}
		return b
	},
}

// store writes files into a folder, which it returns.
func store(t testing.TB, files map[string][]byte) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// A file that is deleted during the replay is reported, and the next ones are replayed.
func TestDirectory_fileDeleted(t *testing.T) {
	changes := orders(3)
	from := store(t, map[string][]byte{"a.ndjson": lines(t, changes[:1]), "b.ndjson": lines(t, changes[1:2]), "c.ndjson": lines(t, changes[2:])})
	m := memory{verdict: func(*format.Parsed) error {
		if err := os.Remove(filepath.Join(from, "b.ndjson")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		return nil
	}}
	o, out := options(from, m.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Damaged != 1 || s.Changes != 2 || !strings.Contains(out.String(), "b.ndjson: damaged or deleted: ") {
		t.Errorf("%s; error %v\n%s", s, err, out.String())
	}
}

// Archives of every format are replayed in order, in chunks.
func TestRun_everyFormat(t *testing.T) {
	const n = 2500
	changes := orders(n)
	for ext, write := range archives {
		t.Run(ext, func(t *testing.T) {
			var m memory
			o, out := options(store(t, map[string][]byte{"a" + ext: write(t, changes), "b.txt": nil}), m.spec())
			s := run(t, o)
			if diff := cmp.Diff(describe(changes), m.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want := []int{1000, 1000, 500}; !slices.Equal(m.puts, want) {
				t.Errorf("chunks of %v, want %v", m.puts, want)
			}
			if s.Objects != 1 || s.Changes != n || s.PassedOver != 1 || out.String() != "" {
				t.Errorf("%s; %q", s, out.String())
			}
		})
	}
}

// Chunks are bounded in bytes, too.
func TestChunks_bytes(t *testing.T) {
	const n, size = 4, 3 << 20
	changes := orders(n)
	for i := range changes {
		changes[i].Bins = []change.Bin{{Name: "text", Value: change.StringValue(bytes.Repeat([]byte("x"), size))}}
	}
	for ext, write := range archives {
		t.Run(ext, func(t *testing.T) {
			var m memory
			o, _ := options(store(t, map[string][]byte{"a" + ext: write(t, changes)}), m.spec())
			run(t, o)
			if diff := cmp.Diff(describe(changes), m.got); diff != "" {
				t.Errorf("(-want +got):\n%.500s", diff)
			}
			if want := []int{3, 1}; !slices.Equal(m.puts, want) {
				t.Errorf("chunks of %v, want %v", m.puts, want)
			}
		})
	}
}

// Files of rows keep values that a text format would change.
func TestRows_roundTrip(t *testing.T) {
	list, err := change.ListValue([]byte{0x92, 0xa2, 4, 0xff, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	odd, err := change.MapValue([]byte{0x81, 0xc0, 1})
	if err != nil {
		t.Fatal(err)
	}
	changes := orders(3)
	changes[1].Bins = []change.Bin{{Name: "list", Value: list}, {Name: "str", Value: change.StringValue([]byte{0xff})}}
	changes[2].Bins = []change.Bin{{Name: "map", Value: odd}} // JSON cannot express a nil key
	for _, ext := range []string{".avro", ".parquet"} {
		var m memory
		o, _ := options(store(t, map[string][]byte{"a" + ext: archives[ext](t, changes)}), m.spec())
		run(t, o)
		if diff := cmp.Diff(describe(changes), m.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ext, diff)
		}
	}
}

// A dry run reads and counts, and opens no sink.
// A replay that finds nothing to read has most likely a wrong name, so that is an error unless
// it is allowed.
func TestRun_empty(t *testing.T) {
	sinktest.New(t)
	folder := t.TempDir()
	write := func(path string, text []byte) {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("other/README.txt", nil)
	write("other/a.csv", nil)
	write("archive/namespace=shop/a.ndjson", lines(t, orders(1)))
	write("archive/namespace=shop/b.ndjson", lines(t, orders(1)))
	write("archive/a.txt", nil)
	if err := os.Mkdir(filepath.Join(folder, "nothing"), 0o700); err != nil {
		t.Fatal(err)
	}
	const hint = "; check the name, or allow that with -allow-empty"
	for _, tt := range []struct {
		from      string
		namespace string
		err       string
	}{
		{folder + "/nothing", "", folder + "/nothing has no objects" + hint},
		{"gs://" + sinktest.Bucket + "/nothing", "", "gs://" + sinktest.Bucket + "/nothing has no objects" + hint},
		{folder + "/other", "", "none of the objects in " + folder + "/other has changes or dead letters (2 objects)" + hint},
		{folder + "/archive", "bank", "the filter selects none of the objects in " + folder + "/archive (2 objects); check the filter, which wants namespace bank, or allow that with -allow-empty"},
		{folder + "/archive", "shop", ""},
	} {
		for _, allow := range []bool{false, true} {
			o, out := options(tt.from)
			o.AllowEmpty = allow
			o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
			if tt.namespace != "" {
				o.Filter.Namespaces = []string{tt.namespace}
			}
			_, err := runOnce(t, o)
			switch {
			case allow || tt.err == "":
				if err != nil {
					t.Errorf("%s, -allow-empty=%t: %v\n%s", tt.from, allow, err, out)
				}
			case err == nil || err.Error() != "replay: "+tt.err:
				t.Errorf("%s: error %v, want %s", tt.from, err, tt.err)
			}
			if _, err := os.Stat(o.Checkpoint); err == nil {
				t.Errorf("%s: the checkpoint still exists", tt.from)
			}
		}
	}
}

// A replay that continues after its last object is not empty.
func TestRun_emptyRest(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a.ndjson"), lines(t, orders(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &memory{}
	o, _ := options(folder, m.spec())
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	ctx, cancel := context.WithCancel(t.Context())
	m.verdict = func(*format.Parsed) error { cancel(); return nil }
	if _, err := replay.Run(ctx, o); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("error %v", err)
	}
	if s := run(t, o); s.Objects != 1 || len(m.got) != 1 {
		t.Errorf("%s, %d changes", s, len(m.got))
	}
}

func TestRun_dryRun(t *testing.T) {
	o, _ := options(store(t, map[string][]byte{"a.ndjson": lines(t, orders(7)), "b/c.ndjson": append(lines(t, orders(2)), "\n\nx\n"...)}))
	s, err := runOnce(t, o)
	if err != nil || s.Objects != 2 || s.Changes != 9 || s.Unreadable != 1 || s.Err() == nil {
		t.Errorf("%s; errors %v, %v", s, err, s.Err())
	}
}

func TestRun_invalidFrom(t *testing.T) {
	for _, from := range []string{"", "gs:", "gs:///x", "gs://b/x?format=avro", filepath.Join(t.TempDir(), "no")} {
		o, _ := options(from)
		if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "want gs://BUCKET/PREFIX") {
			t.Errorf("%q: error %v", from, err)
		}
	}
}

func TestRun_sinkDoesNotOpen(t *testing.T) {
	broken := sink.Spec{URL: "broken:", New: func(context.Context) (sink.Sink, error) { return nil, errors.New("no credentials") }}
	o, _ := options(store(t, nil), broken)
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "open sink broken:: no credentials") {
		t.Errorf("error %v", err)
	}
}

// A refused change is reported with its line, and the others are stored. A change that fails
// in one sink is not put into the others again.
func TestRun_refused(t *testing.T) {
	changes := orders(5)
	tries := 0
	refusing := &memory{verdict: func(p *format.Parsed) error {
		switch p.Change.Digest {
		case changes[1].Digest:
			return change.Permanent(errors.New("too large"))
		case changes[3].Digest:
			if tries++; tries == 1 {
				return errors.New("unavailable")
			}
		}
		return nil
	}}
	var taking memory
	o, out := options(store(t, map[string][]byte{"a.ndjson": lines(t, changes)}), refusing.spec(), taking.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Changes != 5 || s.Refused != 1 || s.Err() == nil {
		t.Errorf("%s; errors %v, %v", s, err, s.Err())
	}
	all := describe(changes)
	if diff := cmp.Diff([]string{all[0], all[2], all[4], all[3]}, refusing.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, taking.got); diff != "" || len(taking.puts) != 1 {
		t.Errorf("%d puts (-want +got):\n%s", len(taking.puts), diff)
	}
	for _, want := range []string{"a.ndjson:2: refused: too large", "store changes: retrying in 500ms: unavailable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

// Only the first 100 errors are printed.
func TestRun_manyErrors(t *testing.T) {
	var text []byte
	for i := range 300 {
		text = fmt.Appendf(text, "%d\n", i)
	}
	o, out := options(store(t, map[string][]byte{"a.ndjson": text}))
	s, err := runOnce(t, o)
	if err != nil || s.Unreadable != 300 {
		t.Errorf("%s; error %v", s, err)
	}
	if n := strings.Count(out.String(), "\n"); n != 101 || !strings.Contains(out.String(), "further errors are counted, not printed") {
		t.Errorf("%d lines", n)
	}
}
