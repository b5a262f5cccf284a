package replay_test

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// order returns version i of a record, of about 300 bytes in four bins.
func order(record, i int) change.Change {
	c := change.Change{Namespace: "shop", Set: "orders", Generation: uint32(i + 1), LUT: begin + int64(i), Mode: change.Replace}
	binary.LittleEndian.PutUint64(c.Digest[:], uint64(record)*0x9e3779b97f4a7c15)
	c.Key = change.StringValue(fmt.Appendf(nil, "order-%d", record))
	c.Bins = []change.Bin{
		{Name: "name", Value: change.StringValue([]byte("a name of a hundred bytes or so, as bins in the documentation have it, and a little more than that"))},
		{Name: "count", Value: change.IntegerValue(int64(i))}, {Name: "price", Value: change.DoubleValue(float64(i) / 7)},
		{Name: "note", Value: change.StringValue([]byte("another text, which is not quite as long as the first one"))},
	}
	return c
}

// A restore of records of about 300 bytes to the development node, which is in the same
// process. Each record has two versions in the archive. It needs both passes over the archive
// each time.
func BenchmarkRestore(b *testing.B) {
	const files, size = 20, 10_000
	for _, ext := range []string{".ndjson", ".avro", ".parquet"} {
		b.Run(ext, func(b *testing.B) {
			content := map[string][]byte{}
			for i := range files {
				changes := make([]change.Change, size)
				for j := range changes {
					changes[j] = order((i*size+j)/2, (i*size+j)%2)
				}
				content[fmt.Sprintf("%02d%s", i, ext)] = archives[ext](b, changes)
			}
			from := store(b, content)
			node := devnodetest.Start(b, devnode.Config{Namespaces: []string{"shop"}})
			u, err := url.Parse("aerospike://" + node.Addr() + "/shop?mode=records&versions=none")
			if err != nil {
				b.Fatal(err)
			}
			spec := sinktest.Parse(b, aerospike.Parse, u.String(), sink.Options{})
			before := cpuSeconds(b)
			for b.Loop() {
				o, out := options(from, spec)
				o.Restore = &replay.Restore{Mode: change.Replace}
				o.Filter.Namespaces = []string{"shop"}
				s, err := replay.Run(b.Context(), o)
				if err != nil || s.Records != files*size/2 || s.Refused > 0 {
					b.Fatalf("%s; error %v\n%s", s, err, out)
				}
			}
			const records = files * size / 2
			b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(records*float64(b.N)/(cpuSeconds(b)-before), "records/core-s")
		})
	}
}

// cpuSeconds returns the processor time of the process, node included.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
