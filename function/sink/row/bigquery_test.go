package row_test

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/row"
)

func TestAppendBigQuery(t *testing.T) {
	const head = `{"_CHANGE_TYPE":"UPSERT","_CHANGE_SEQUENCE_NUMBER":"`
	const id = `","ns":"shop","digest":"AQIAAAAAAAAAAAAAAAAAAAAAAAA="`
	bins := []change.Bin{{Name: "age", Value: change.IntegerValue(27)}}
	for name, tt := range map[string]struct {
		c    change.Change
		want string
	}{
		"all columns": {
			change.Change{Mode: change.Replace, Set: "orders", Key: text("o-1"), Generation: 7, LUT: 1792180543210, Expiry: 1795350896, SourceID: 3, Bins: bins},
			head + `1a14648deea/7` + id + `,"set_name":"orders","key":"o-1","key_type":"str","generation":7,"lut":"2026-10-16T19:55:43.210Z",` +
				`"expires":true,"expiry":"2026-11-22T12:34:56.000Z","source_id":3,"bins":"{\"age\":27}"}`,
		},
		"no columns": {
			change.Change{LUT: 1, Expiry: change.ExpiryUnknown, Bins: bins},
			head + `1/0` + id + `,"lut":"1970-01-01T00:00:00.001Z","source_id":0,"bins":"{\"age\":27}"}`,
		},
		"largest": {
			change.Change{Key: change.IntegerValue(math.MinInt64), Generation: math.MaxUint32, LUT: 253402300799999, SourceID: 255, Bins: bins},
			head + `e677d21fdbff/ffffffff` + id + `,"key":"-9223372036854775808","key_type":"int","generation":4294967295,"lut":"9999-12-31T23:59:59.999Z","expires":false,"source_id":255,"bins":"{\"age\":27}"}`,
		},
		"blob": {
			change.Change{Key: change.BytesValue(change.KindJavaBlob, []byte{0xFB, 0xFF}), LUT: 1, Bins: bins},
			head + `1/0` + id + `,"key":"+/8=","key_type":"blob","lut":"1970-01-01T00:00:00.001Z","expires":false,"source_id":0,"bins":"{\"age\":27}"}`,
		},
		"float": {
			change.Change{Key: change.DoubleValue(math.Inf(-1)), LUT: 1, Bins: bins},
			head + `1/0` + id + `,"key":"-Infinity","key_type":"float","lut":"1970-01-01T00:00:00.001Z","expires":false,"source_id":0,"bins":"{\"age\":27}"}`,
		},
		"doubles as BigQuery prints them": {
			change.Change{LUT: 1, Bins: []change.Bin{
				{Name: "x", Value: change.DoubleValue(67.174118)}, {Name: "nan", Value: change.DoubleValue(math.NaN())},
				{Name: "at", Value: change.GeoJSONValue([]byte(`{"type":"Point","coordinates":[22.770092, 1.5]}`))},
			}},
			head + `1/0` + id + `,"lut":"1970-01-01T00:00:00.001Z","expires":false,"source_id":0,` +
				`"bins":"{\"x\":67.17411800000001,\"nan\":\"NaN\",\"at\":{\"type\":\"Point\",\"coordinates\":[22.770092000000002,1.5]}}"}`,
		},
		"escapes": {
			change.Change{Set: "a\"b\\", Key: text("\xe9\n"), LUT: 1, Bins: []change.Bin{{Name: `q"`, Value: text("\"\\\n\x00é\xff")}}},
			head + `1/0` + id + `,"set_name":"a\"b\\","key":"�\n","key_type":"str","lut":"1970-01-01T00:00:00.001Z","expires":false,"source_id":0,"bins":"{\"q\\\"\":\"\\\"\\\\\\n\\u0000é�\"}"}`,
		},
		"delete":         {change.Change{Op: change.Delete, Set: "orders", Key: text("o-1"), Generation: 8, LUT: 1}, strings.Replace(head, "UPSERT", "DELETE", 1) + `1/8` + id + `}`},
		"durable delete": {change.Change{Op: change.DurableDelete, LUT: 2, Bins: bins}, strings.Replace(head, "UPSERT", "DELETE", 1) + `2/0` + id + `}`},
	} {
		tt.c.Namespace, tt.c.Digest = "shop", change.Digest{1, 2}
		got, err := row.AppendBigQuery([]byte("before"), &tt.c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := gocmp.Diff("before"+tt.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A change that cannot be a row is a permanent error and appends nothing.
func TestAppendBigQuery_errors(t *testing.T) {
	one := []change.Bin{{Name: "age", Value: change.IntegerValue(27)}}
	for name, tt := range map[string]struct {
		c    change.Change
		want string
	}{
		"update":         {change.Change{Mode: change.Update, LUT: 1, Bins: one}, "only some or none: set bin-policy all"},
		"metadata only":  {change.Change{Mode: change.Replace, LUT: 1}, "only some or none"},
		"nothing":        {change.Change{LUT: 1}, "only some or none"},
		"deleted bin":    {change.Change{LUT: 1, Bins: append(one, change.Bin{Name: "gone"})}, "only some or none"},
		"no lut":         {change.Change{Mode: change.Replace, Generation: 1, Bins: one}, "no last update time"},
		"delete, no lut": {change.Change{Op: change.Delete, Generation: 1}, "no last update time"},
		"far lut":        {change.Change{LUT: 253402300800000, Bins: one}, "outside the years"},
		"far expiry":     {change.Change{LUT: 1, Expiry: math.MaxInt64, Bins: one}, "outside the years"},
		"namespace":      {change.Change{Namespace: "\xff", LUT: 1, Bins: one}, "the namespace is not UTF-8"},
		"set":            {change.Change{Set: "\xff", LUT: 1, Bins: one}, "the set is not UTF-8"},
		"key":            {change.Change{Key: change.BoolValue(true), LUT: 1, Bins: one}, "unsupported user key of kind bool"},
		"bin name":       {change.Change{LUT: 1, Bins: []change.Bin{{Name: "\xff", Value: text("")}}}, "bin name: is not UTF-8"},
		"geojson":        {change.Change{LUT: 1, Bins: []change.Bin{{Name: "geo", Value: binOf(all, "geo")}}}, "bin geo: its GeoJSON is not JSON"},
		"long number":    {change.Change{LUT: 1, Bins: []change.Bin{{Name: "geo", Value: change.GeoJSONValue([]byte("[1e400]"))}}}, "a number of more than 64 bits"},
		"equal map keys": {change.Change{LUT: 1, Bins: []change.Bin{{Name: "both", Value: binOf(all, "both")}}}, "bin both: two map keys would become the same"},
		"nil map key":    {change.Change{LUT: 1, Bins: []change.Bin{{Name: "none", Value: binOf(all, "none")}}}, "bin none: a map key is of kind nil"},
	} {
		got, err := row.AppendBigQuery([]byte("before"), &tt.c)
		if !change.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) || string(got) != "before" {
			t.Errorf("%s: %q, error %v, want a permanent %q", name, got, err, tt.want)
		}
	}
}

// The name matters: UPDATE_STORIES=1 go test -run Stories rewrites the stories.
func TestStories_bigQuery(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		c, err := changetest.Parse(s.Section(t, "change.json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := row.AppendBigQuery(nil, &c)
		if err != nil {
			got = []byte(err.Error())
		}
		s.Check(t, "bigquery.json", append(got, '\n'))
	}, "change.json", "bigquery.json")
}

// In whatever order changes are shipped, and however often, in the end the table has a row
// for each record of the database.
func TestAppendBigQuery_tableMatchesDatabase(t *testing.T) {
	columns := tableColumns(t)
	rapid.Check(t, func(t *rapid.T) {
		table, records := newTable(columns), map[change.Digest]change.Change{}
		var changes []change.Change
		for range rapid.IntRange(1, 3).Draw(t, "records") {
			var digest change.Digest
			copy(digest[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "digest"))
			if _, drawn := records[digest]; drawn {
				continue
			}
			for _, c := range history(t, digest) {
				changes = append(changes, c)
				records[digest] = c
			}
		}
		shipped := append(rapid.Permutation(changes).Draw(t, "shipped"), rapid.SliceOf(rapid.SampledFrom(changes)).Draw(t, "repeated")...)
		for i := range shipped {
			message, err := row.AppendBigQuery(nil, &shipped[i])
			if err != nil {
				t.Fatal(err)
			}
			table.apply(t, message)
		}
		want := map[string]map[string]any{}
		for digest, c := range records {
			if !c.Op.IsDelete() {
				want["shop/"+digest.String()] = rowOf(t, &c)
			}
		}
		if diff := gocmp.Diff(want, table.read()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// history draws the changes of a record, each with a higher last update time or, in
// the same millisecond, a higher generation.
func history(t *rapid.T, digest change.Digest) []change.Change {
	var changes []change.Change
	lut, generation := rapid.Int64Range(1, 1<<41).Draw(t, "lut"), uint32(0)
	for range rapid.IntRange(1, 5).Draw(t, "changes") {
		if step := rapid.Int64Range(0, 300).Draw(t, "step"); step > 0 {
			lut, generation = lut+step, uint32(rapid.Uint16().Draw(t, "generation"))
		}
		generation++
		c := changetest.Arbitrary{}.Change(t)
		c.Namespace, c.Digest, c.LUT, c.Generation = "shop", digest, lut, generation
		c.Mode = change.Replace
		c.Bins = wholeBins(c.Bins)
		changes = append(changes, c)
	}
	return changes
}

// wholeBins returns the bins that a whole record can have and JSON can express.
func wholeBins(bins []change.Bin) []change.Bin {
	whole := []change.Bin{{Name: "a bin of any record", Value: change.IntegerValue(1)}}
	for _, b := range bins {
		if _, err := row.AppendBigQuery(nil, &change.Change{LUT: 1, Bins: []change.Bin{b}}); err == nil {
			whole = append(whole, b)
		}
	}
	return whole
}

func BenchmarkBigQuery(b *testing.B) {
	c := order(1).Change
	var message []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if message, err = row.AppendBigQuery(message[:0], &c); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(message)))
}

// The table has the columns that messages have, and no others.
func TestAppendBigQuery_columns(t *testing.T) {
	columns := tableColumns(t)
	c := change.Change{Set: "orders", Key: text("o-1"), Generation: 1, LUT: 1, Expiry: 1, Bins: wholeBins(nil)}
	message, err := row.AppendBigQuery(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(columns)
	table.apply(t, message)
	for _, values := range table.read() {
		if diff := gocmp.Diff(slices.Sorted(maps.Keys(columns)), slices.Sorted(maps.Keys(values))); diff != "" {
			t.Errorf("columns (-table +message):\n%s", diff)
		}
	}
}

// Appending to a buffer that is large enough does not allocate.
func TestAppendBigQuery_allocations(t *testing.T) {
	c, message := order(1).Change, make([]byte, 0, 8<<10)
	if allocs := testing.AllocsPerRun(100, func() { message, _ = row.AppendBigQuery(message[:0], &c) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	if !bytes.Contains(message, []byte(`\"bin0\"`)) {
		t.Errorf("%s", message)
	}
}
