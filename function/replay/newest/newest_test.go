package newest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// begin is a time before all changes of these tests, in Unix milliseconds.
const begin = 1795350896000

// archive is a folder of objects.
type archive struct {
	t      rapid.TB
	folder string
	files  int
}

// newFolders returns a function that makes another folder each time.
func newFolders(t *testing.T) func(t rapid.TB) string {
	t.Helper()
	top, n := t.TempDir(), 0
	return func(t rapid.TB) string {
		t.Helper()
		n++
		folder := filepath.Join(top, strconv.Itoa(n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		return folder
	}
}

func newArchive(t rapid.TB, folder string) *archive { return &archive{t: t, folder: folder} }

// add writes a file, later than those before it.
func (a *archive) add(name string, content []byte) {
	a.t.Helper()
	path := filepath.Join(a.folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.files++
	at := time.UnixMilli(begin).Add(time.Duration(a.files) * time.Second)
	if err := os.Chtimes(path, time.Time{}, at); err != nil {
		a.t.Fatal(err)
	}
}

// lines returns changes as lines of JSON.
func lines(t rapid.TB, changes ...change.Change) (text []byte) {
	t.Helper()
	for i := range changes {
		var err error
		if text, err = (json.Format{}).Append(text, &changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// rowFile returns changes as a file of rows.
func rowFile(t rapid.TB, write func([]row.Row, string) ([]byte, error), codec string, changes ...change.Change) []byte {
	t.Helper()
	rows := make([]row.Row, len(changes))
	for i := range changes {
		var err error
		if rows[i], err = row.Of(&format.Parsed{Change: changes[i]}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := write(rows, codec)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// read reads the archive, and closes the index at the end of the test.
func (a *archive) read(o newest.Options) (*newest.Index, *changetest.Output) {
	a.t.Helper()
	source, err := objects.Buckets{}.Open(context.Background(), a.folder)
	if err != nil {
		a.t.Fatal(err)
	}
	var out changetest.Output
	o.Source, o.Parser.MetadataKey = source, "metadata"
	o.Printf = func(line string, args ...any) { _, _ = fmt.Fprintf(&out, line+"\n", args...) }
	o.Errorf = o.Printf
	x, err := newest.Read(context.Background(), o)
	if err != nil {
		a.t.Fatal(err)
	}
	return x, &out
}

// records returns the records of a namespace.
func records(t rapid.TB, x *newest.Index, namespace string) []newest.Record {
	t.Helper()
	var all []newest.Record
	for r, err := range x.Records(namespace) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func closed(t rapid.TB, x *newest.Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

// history draws the versions of a record in their true order: update times never go back,
// generations count from 1 and wrap after 65,535, and a record that is created again begins
// anew.
func history(t *rapid.T, namespace string, d change.Digest) []change.Change {
	c := change.Change{Namespace: namespace, Set: "orders", Digest: d, LUT: begin, Op: change.Delete}
	generation := uint16(rapid.SampledFrom([]int{0, 65533}).Draw(t, "generation"))
	var all []change.Change
	for range rapid.IntRange(1, 12).Draw(t, "versions") {
		c.LUT += int64(rapid.IntRange(0, 1).Draw(t, "ms"))
		generation++
		if generation == 0 {
			generation = 1
		}
		wasDeleted := c.Op.IsDelete()
		c.Op, c.Expiry = change.Write, 0
		if !wasDeleted && rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			c.Op = rapid.SampledFrom([]change.Op{change.Delete, change.DurableDelete}).Draw(t, "op")
		}
		c.Generation = uint32(generation)
		if c.Op.IsDelete() {
			generation = 0
		} else if rapid.Bool().Draw(t, "expires") {
			c.Expiry = begin/1000 + int64(len(all))
		}
		all = append(all, c)
	}
	return all
}

// The newest state up to any time is the last version before it, whatever the names of the
// objects are, and however often changes come again at once. Records are sorted as a scan
// returns them.
func TestIndex_newestOfHistory(t *testing.T) {
	folders := newFolders(t)
	rapid.Check(t, func(t *rapid.T) {
		a := newArchive(t, folders(t))
		var shipped []change.Change
		want := map[change.Digest]change.Change{}
		until := int64(begin + rapid.IntRange(1, 10).Draw(t, "until"))
		for i := range rapid.IntRange(1, 5).Draw(t, "records") {
			d := change.Digest{byte(i % 2), byte(i), byte(rapid.IntRange(0, 255).Draw(t, "digest"))}
			for _, c := range history(t, "shop", d) {
				shipped = append(shipped, c)
				if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
					shipped = append(shipped, c)
				}
				if c.LUT < until {
					want[d] = c
				}
			}
		}
		for part := range slices.Chunk(shipped, rapid.IntRange(1, 7).Draw(t, "per object")) {
			name := fmt.Sprintf("%x-%d", rapid.Byte().Draw(t, "name"), a.files)
			switch rapid.IntRange(0, 2).Draw(t, "format") {
			case 0:
				a.add(name+".ndjson", lines(t, part...))
			case 1:
				a.add(name+".avro", rowFile(t, row.AvroFile, "null", part...))
			case 2:
				a.add(name+".parquet", rowFile(t, row.ParquetFile, "none", part...))
			}
		}
		x, _ := a.read(newest.Options{Filter: objects.Filter{Until: time.UnixMilli(until)}})
		defer closed(t, x)
		defer newest.CompactAt(rapid.SampledFrom([]int{2, 1000}).Draw(t, "compact at"))()
		got := records(t, x, "shop")
		if !slices.IsSortedFunc(got, func(a, b newest.Record) int {
			return cmp.Or(a.Digest.Partition()-b.Digest.Partition(), strings.Compare(string(b.Digest[:]), string(a.Digest[:])))
		}) {
			t.Errorf("not sorted: %v", got)
		}
		if len(got) != len(want) {
			t.Errorf("%d records, want %d", len(got), len(want))
		}
		for _, r := range got {
			w := want[r.Digest]
			asJSON := w.Version() // JSON and rows alike keep both kinds of deletes
			if r.Version != asJSON || r.Expiry != w.Expiry || r.Set != "orders" || r.Namespace != "shop" {
				t.Errorf("%+v, want version %+v, expiry %d", r, asJSON, w.Expiry)
			}
		}
	})
}

// version returns a write of a record.
func version(d byte, lut int64, generation uint32) change.Change {
	return change.Change{Namespace: "shop", Digest: change.Digest{d}, LUT: begin + lut, Generation: generation}
}

func deleted(d byte, lut int64, generation uint32) change.Change {
	c := version(d, lut, generation)
	c.Op = change.Delete
	return c
}

// The order of objects decides only where the version does not.
func TestIndex_ties(t *testing.T) {
	for name, tt := range map[string]struct {
		shipped []change.Change // each in an object of its own
		want    change.Version
	}{
		"a later update time, earlier object": {[]change.Change{version(1, 2, 1), version(1, 1, 9)}, change.Version{LUT: begin + 2, Generation: 1}},
		"a later generation, earlier object":  {[]change.Change{version(1, 1, 3), version(1, 1, 2)}, change.Version{LUT: begin + 1, Generation: 3}},
		"wrap":                                {[]change.Change{version(1, 1, 65535), version(1, 1, 1)}, change.Version{LUT: begin + 1, Generation: 1}},
		"wrap, earlier object":                {[]change.Change{version(1, 1, 1), version(1, 1, 65535)}, change.Version{LUT: begin + 1, Generation: 1}},
		"deleted in the same ms":              {[]change.Change{version(1, 1, 1), deleted(1, 1, 2)}, change.Version{LUT: begin + 1, Generation: 2, Op: change.Delete}},
		"created again in the same ms":        {[]change.Change{deleted(1, 1, 7), version(1, 1, 1)}, change.Version{LUT: begin + 1, Generation: 1}},
		"created again, and repeated":         {[]change.Change{deleted(1, 1, 7), version(1, 1, 1), version(1, 1, 1)}, change.Version{LUT: begin + 1, Generation: 1}},
		"no generation":                       {[]change.Change{version(1, 1, 5), version(1, 1, 0)}, change.Version{LUT: begin + 1}},
		"no update time before one":           {[]change.Change{version(1, -begin, 5), version(1, 1, 1)}, change.Version{LUT: begin + 1, Generation: 1}},
		"no update time after one":            {[]change.Change{version(1, 1, 1), version(1, -begin, 5)}, change.Version{LUT: begin + 1, Generation: 1}},
		"no update time":                      {[]change.Change{version(1, -begin, 5), version(1, -begin, 4)}, change.Version{Generation: 4}},
		"three, the newest in the middle":     {[]change.Change{version(1, 1, 2), version(1, 1, 4), version(1, 1, 3)}, change.Version{LUT: begin + 1, Generation: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, t.TempDir())
			for i, c := range tt.shipped {
				a.add(fmt.Sprintf("%d.ndjson", 9-i), lines(t, c))
			}
			x, out := a.read(newest.Options{})
			defer closed(t, x)
			got := records(t, x, "shop")
			if len(got) != 1 || got[0].Version != tt.want {
				t.Errorf("%+v, want %+v\n%s", got, tt.want, out)
			}
		})
	}
}

// Records of two namespaces with the same digest are two records.
func TestIndex_namespaces(t *testing.T) {
	a := newArchive(t, t.TempDir())
	one, two := version(1, 1, 1), version(1, 2, 2)
	two.Namespace, two.Set = "users", "people"
	a.add("a.ndjson", lines(t, one, two))
	x, _ := a.read(newest.Options{})
	defer closed(t, x)
	if diff := gocmp.Diff([]string{"shop", "users"}, x.Namespaces()); diff != "" {
		t.Error(diff)
	}
	file := filepath.Join(a.folder, "a.ndjson")
	for _, want := range []newest.Record{
		{Namespace: "shop", Digest: one.Digest, Version: one.Version(), Object: file, Position: 1},
		{Namespace: "users", Set: "people", Digest: two.Digest, Version: two.Version(), Object: file, Position: 2},
	} {
		if diff := gocmp.Diff([]newest.Record{want}, records(t, x, want.Namespace)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got := records(t, x, "nothing"); got != nil {
		t.Errorf("%v", got)
	}
}

// Dead letters count as changes, by the last update time of the change in them.
func TestIndex_deadLetters(t *testing.T) {
	a := newArchive(t, t.TempDir())
	letter := sink.DeadLetter{MediaType: format.MediaNDJSON, Reason: "refused", Received: time.UnixMilli(begin).Add(time.Hour)}
	older, newer := version(1, 1, 1), version(1, 5, 2)
	a.add("a.ndjson", lines(t, older))
	a.add("b.ndjson", letter.AppendLine(nil, &format.Parsed{Data: lines(t, newer)}))
	for until, want := range map[int64]change.Version{5: older.Version(), 6: newer.Version()} {
		x, _ := a.read(newest.Options{Filter: objects.Filter{Until: time.UnixMilli(begin + until)}})
		if got := records(t, x, "shop"); len(got) != 1 || got[0].Version != want {
			t.Errorf("until %d: %+v, want %+v", until, got, want)
		}
		closed(t, x)
	}
}

// What cannot be read is printed and counted, and makes the index incomplete.
func TestRead_damaged(t *testing.T) {
	a := newArchive(t, t.TempDir())
	a.add("a.ndjson", append(lines(t, version(1, 1, 1)), "nothing\n"...))
	a.add("b.avro", rowFile(t, row.AvroFile, "null", version(2, 1, 1))[:900])
	a.add("c.txt", nil)
	x, out := a.read(newest.Options{})
	defer closed(t, x)
	c := x.Counts()
	if c.Objects != 2 || c.Changes != 1 || c.Unreadable != 1 || c.Damaged != 1 || c.PassedOver != 1 || !c.Incomplete() {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{"a.ndjson:2: not a change: ", "b.avro: damaged or deleted: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}

// An index that is interrupted says so.
func TestRead_interrupted(t *testing.T) {
	a := newArchive(t, t.TempDir())
	a.add("a.ndjson", lines(t, version(1, 1, 1)))
	source, err := objects.Buckets{}.Open(t.Context(), a.folder)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newest.Read(ctx, newest.Options{Source: source, Parser: formats.Parser{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The largest and smallest values of a change pass through the index.
func TestIndex_extremes(t *testing.T) {
	for i, want := range []newest.Record{
		{Version: change.Version{LUT: change.EndOfTime, Generation: 1<<32 - 1, Op: change.DurableDelete}},
		{Version: change.Version{LUT: change.EndOfTime, Generation: 1<<32 - 1}, Expiry: change.EndOfTime / 1000},
		{Version: change.Version{LUT: 1, Generation: 1}, Expiry: change.ExpiryUnknown},
		{},
	} {
		want.Namespace, want.Set, want.Digest = "é\x01", strings.Repeat("s", 63), change.Digest{0xff, 0xff, 19: 0xff}
		c := change.Change{
			Namespace: want.Namespace, Set: want.Set, Digest: want.Digest,
			Op: want.Version.Op, LUT: want.Version.LUT, Generation: want.Version.Generation, Expiry: want.Expiry,
		}
		a := newArchive(t, t.TempDir())
		a.add("a.avro", rowFile(t, row.AvroFile, "null", c))
		want.Object, want.Position = filepath.Join(a.folder, "a.avro"), 1
		x, _ := a.read(newest.Options{})
		if diff := gocmp.Diff([]newest.Record{want}, records(t, x, want.Namespace)); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
		closed(t, x)
	}
}
