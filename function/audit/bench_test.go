package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/audit"
	"github.com/aerosink/aerosink/function/sink/row"
)

// A whole audit: the archive is read, the database scanned. Each record has one version, of
// about 300 bytes. The node runs in the same process, so its time is part of that.
func BenchmarkRun(b *testing.B) {
	const records, objects = 400_000, 40
	c := newNode(b, devnode.Config{})
	c.clock.behind.Store(int64(time.Hour))
	var all []change.Change
	for i := range records {
		ch := change.Change{Namespace: "shop", Set: "orders", Digest: c.digest(i), Bins: []change.Bin{
			{Name: "name", Value: change.StringValue(bytes.Repeat([]byte("name "), 30))}, {Name: "count", Value: change.IntegerValue(int64(i))},
			{Name: "price", Value: change.DoubleValue(float64(i) / 7)}, {Name: "note", Value: change.StringValue([]byte("another text"))},
		}}
		v := c.node.Source().Write(ch)
		ch.Mode, ch.Generation, ch.LUT = change.Replace, v.Generation, v.LUT
		all = append(all, ch)
	}
	c.clock.behind.Store(0)
	kinds := []string{"ndjson", "avro", "parquet"}
	archives := map[string]*archive{}
	for _, kind := range kinds {
		archives[kind] = newArchive(b)
		for i := range objects {
			part := all[i*records/objects : (i+1)*records/objects]
			path := filepath.Join(archives[kind].folder, fmt.Sprintf("%03d.%s", i, kind))
			if err := os.WriteFile(path, encode(b, kind, part), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	all = nil // it would be more work for the garbage collector
	for _, kind := range kinds {
		for _, exact := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/exact=%t", kind, exact), func(b *testing.B) {
				o := options(c, archives[kind])
				o.Exact = exact
				o.Found = func(f audit.Finding) error { return fmt.Errorf("found %s", &f) }
				begun := cpuTime(b)
				for b.Loop() {
					if sum, err := audit.Run(b.Context(), o); err != nil || sum.Same != records {
						b.Fatalf("%+v, error %v", sum, err)
					}
				}
				b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(records*float64(b.N)/(cpuTime(b)-begun).Seconds(), "records/cpu-s")
			})
		}
	}
}

// cpuTime returns the time that the process has computed, on all cores. A busy machine does
// not change it.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// encode returns a file of an archive with the changes.
func encode(t testing.TB, kind string, changes []change.Change) (content []byte) {
	t.Helper()
	rows := make([]row.Row, len(changes))
	var err error
	for i := range changes {
		if kind == "ndjson" {
			content, err = (json.Format{}).Append(content, &changes[i])
		} else {
			rows[i], err = row.Of(&format.Parsed{Change: changes[i]})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	switch kind {
	case "avro":
		content, err = row.AvroFile(rows, "snappy")
	case "parquet":
		content, err = row.ParquetFile(rows, "zstd")
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}
