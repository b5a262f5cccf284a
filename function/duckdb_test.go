package function_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// duckDB runs statements with npm's DuckDB, in a directory.
type duckDB struct{ node, script string }

// newDuckDB skips the test if node does not find @duckdb/node-api.
func newDuckDB(t *testing.T) duckDB {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("DuckDB of npm needs node, which is not installed")
	}
	if err := exec.CommandContext(t.Context(), node, "-e", "require.resolve('@duckdb/node-api')").Run(); err != nil {
		t.Skip("DuckDB of npm is not installed: npm install --prefix DIR @duckdb/node-api, and set NODE_PATH=DIR/node_modules")
	}
	script, err := filepath.Abs("testdata/duckdb.js")
	if err != nil {
		t.Fatal(err)
	}
	return duckDB{node, script}
}

// result is what a statement returned. Values are strings or nil.
type result struct {
	Columns []string
	Rows    [][]any
}

// only returns the rows with no other columns than those.
func (r *result) only(columns ...string) (rows [][]any) {
	for _, all := range r.Rows {
		var row []any
		for _, name := range columns {
			if i := slices.Index(r.Columns, name); i >= 0 {
				row = append(row, all[i])
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// query returns the results of statements.
func (d duckDB) query(t *testing.T, dir string, statements ...string) (results []result) {
	t.Helper()
	input, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), d.node, d.script)
	c.Dir, c.Stdin, c.Stderr = dir, bytes.NewReader(input), &stderr
	output, err := c.Output()
	if err != nil {
		t.Fatalf("DuckDB: %v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(output, &results); err != nil || len(results) != len(statements) {
		t.Fatalf("%d results, error %v: %s", len(results), err, output)
	}
	return results
}

// duckDBQueries returns the queries of the README that follow a comment which begins with
// that text, over the files of a directory called changes.
func duckDBQueries(t *testing.T, comment string) (queries []string) {
	t.Helper()
	for _, block := range strings.Split(readme(t), "```sql\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, part := range strings.Split("\n"+block, "\n-- ")[1:] {
			title, query, _ := strings.Cut(part, "\n")
			if strings.HasPrefix(title, comment) {
				queries = append(queries, strings.ReplaceAll(query, "gs://BUCKET/PREFIX", "changes"))
			}
		}
	}
	if len(queries) == 0 {
		t.Fatalf("the README has no query that begins with -- %s", comment)
	}
	return queries
}

// archived stores batches in an archive with these parameters, and returns a directory that
// has its objects as files.
func archived(t *testing.T, parameters string, batches ...sink.Batch) (dir string) {
	t.Helper()
	cloud := sinktest.New(t)
	s := sinktest.Open(t, sinktest.Parse(t, gcs.Parse, sinktest.ArchiveSink+"?linger=0s&"+parameters, sink.Options{}))
	for _, b := range batches {
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	dir = t.TempDir()
	for _, o := range cloud.Objects(t) {
		path := filepath.Join(dir, filepath.FromSlash(o.Attrs.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, o.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// person returns a version of a record, as JSON.
func person(t *testing.T, set, key string, generation uint32, bins ...change.Bin) format.Parsed {
	t.Helper()
	c := change.Change{
		Namespace: "shop", Set: set, Key: change.StringValue([]byte(key)), Digest: change.Digest{key[0]},
		Generation: generation, LUT: sinktest.Hour.UnixMilli() + int64(generation), Mode: change.Replace, Bins: bins,
	}
	data, err := jsonformat.Format{StringifyMapKeys: true}.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	return format.Parsed{Change: c, Data: data, Format: jsonformat.Name}
}

func batchOf(changes ...format.Parsed) sink.Batch { return sink.Batch{Changes: changes} }

// people are the requests of an archive: a record has two versions, which come again
// together. Its set would be NULL for DuckDB if it was not escaped.
func people(t *testing.T) []sink.Batch {
	age := func(n int64) change.Bin { return change.Bin{Name: "age", Value: change.IntegerValue(n)} }
	ann1, ann2 := person(t, "NULL", "ann", 1, age(26)), person(t, "NULL", "ann", 2, age(27))
	return []sink.Batch{batchOf(ann1, person(t, "", "bob", 1, age(40))), batchOf(ann2), batchOf(ann1, ann2)}
}

func TestReadme_duckDBOverParquet(t *testing.T) {
	db := newDuckDB(t)
	for _, compression := range []string{"none", "snappy", "gzip", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			dir := archived(t, "format=parquet&compression="+compression, people(t)...)
			queries := duckDBQueries(t, "DuckDB, of Parquet")
			if len(queries) != 2 {
				t.Fatalf("%d queries, want 2", len(queries))
			}
			queries[0] = strings.Replace(queries[0], ";", " ORDER BY generation;", 1)
			queries[1] = strings.Replace(queries[1], ";", " ORDER BY 2;", 1)
			results := db.query(t, dir, queries...)
			newest := [][]any{
				{"1", "write", "shop", "shop", nil, nil, "2026-11-22", "12"},
				{"2", "write", "shop", "shop", "NULL", "NULL", "2026-11-22", "12"},
			}
			if diff := cmp.Diff(newest, results[0].only("generation", "op", "ns", "namespace", "set_name", "set", "dt", "hour")); diff != "" {
				t.Errorf("newest versions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([][]any{{"ann", "26"}, {"ann", "26"}, {"ann", "27"}, {"ann", "27"}, {"bob", "40"}}, results[1].Rows); diff != "" {
				t.Errorf("ages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadme_duckDBOverNDJSON(t *testing.T) {
	db := newDuckDB(t)
	for _, compression := range []string{"none", "gzip", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			dir := archived(t, "compression="+compression, people(t)...)
			query := strings.Replace(duckDBQueries(t, "DuckDB, of NDJSON")[0], ";", " ORDER BY gen;", 1)
			want := [][]any{{"1", "write", nil, "2026-11-22", "shop"}, {"2", "write", "NULL", "2026-11-22", "shop"}}
			if diff := cmp.Diff(want, db.query(t, dir, query)[0].only("gen", "msg", "set", "dt", "namespace")); diff != "" {
				t.Errorf("newest versions (-want +got):\n%s", diff)
			}
		})
	}
}

// DuckDB reads every value of every type as it was written.
func TestArchive_valuesInDuckDB(t *testing.T) {
	db := newDuckDB(t)
	list, err := change.ListValue([]byte{0x92, 0x01, 0xA2, 0x03, 'a'})
	if err != nil {
		t.Fatal(err)
	}
	all := batchOf(person(t, "s", "all", 1,
		change.Bin{Name: "at", Value: change.GeoJSONValue([]byte(`{"type":"Point","coordinates":[1.5,2]}`))},
		change.Bin{Name: "blob", Value: change.BytesValue(change.KindBlob, []byte{0, 0xFF})},
		change.Bin{Name: "huge", Value: change.UnsignedValue(math.MaxUint64)},
		change.Bin{Name: "infinity", Value: change.DoubleValue(math.Inf(1))},
		change.Bin{Name: "least", Value: change.IntegerValue(math.MinInt64)},
		change.Bin{Name: "list", Value: list},
		change.Bin{Name: "most", Value: change.IntegerValue(math.MaxInt64)},
		change.Bin{Name: "name", Value: change.StringValue([]byte("Zoë\n"))},
		change.Bin{Name: "nan", Value: change.DoubleValue(math.NaN())},
		change.Bin{Name: "pi", Value: change.DoubleValue(math.Pi)},
		change.Bin{Name: "yes", Value: change.BoolValue(true)},
		change.Bin{Name: "zero", Value: change.DoubleValue(math.Copysign(0, -1))}))
	const columns = `SELECT concat_ws(' ', b.key, b.value.type, b.value.int, b.value.float, b.value."string", hex(b.value.bytes), b.value.bool, b.value.json) AS bin
FROM (SELECT unnest(map_entries(bins)) AS b FROM 'changes/**/*.parquet') ORDER BY bin`
	inParquet := []string{
		`at geojson {"type":"Point","coordinates":[1.5,2]}`, "blob blob 00FF", "huge uint 18446744073709551615", "infinity float inf",
		"least int -9223372036854775808", `list list [1,"a"]`, "most int 9223372036854775807", "name str Zoë\n", "nan float nan",
		"pi float 3.141592653589793", "yes bool true", "zero float -0.0",
	}
	for _, compression := range []string{"none", "snappy", "gzip", "zstd"} {
		dir := archived(t, "format=parquet&compression="+compression, all)
		if diff := cmp.Diff(inParquet, binsOf(db.query(t, dir, columns)[0])); diff != "" {
			t.Errorf("Parquet, %s (-want +got):\n%s", compression, diff)
		}
	}
	inJSON := []string{
		`at geojson {"type":"Point","coordinates":[1.5,2]}`, `blob blob "AP8="`, "huge int 18446744073709551615", `infinity float "Infinity"`,
		"least int -9223372036854775808", `list list [1,"a"]`, "most int 9223372036854775807", `name str "Zoë\n"`, `nan float "NaN"`,
		"pi float 3.141592653589793", "yes bool true", "zero float -0.0",
	}
	for _, compression := range []string{"none", "gzip", "zstd"} {
		dir := archived(t, "compression="+compression, all)
		const lines = `SELECT concat_ws(' ', b.name, b.type, b.value::VARCHAR) AS bin FROM (SELECT unnest(bins) AS b FROM read_json('changes/**/*.ndjson*')) ORDER BY bin`
		if diff := cmp.Diff(inJSON, binsOf(db.query(t, dir, lines)[0])); diff != "" {
			t.Errorf("NDJSON, %s (-want +got):\n%s", compression, diff)
		}
	}
}

// binsOf returns the only column of a result.
func binsOf(r result) (bins []string) {
	for _, row := range r.Rows {
		bins = append(bins, fmt.Sprint(row...))
	}
	return bins
}
