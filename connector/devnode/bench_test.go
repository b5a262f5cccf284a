package devnode_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Records that a client writes in batches of 128, 4 at once, with a list, a map, an integer
// and a string of 200 bytes, as a restore does.
func BenchmarkNode_batchWrite(b *testing.B) {
	client := connect(b, listen(b, devnode.Config{}))
	text := strings.Repeat("text", 50)
	policy := as.NewBatchWritePolicy()
	policy.RecordExistsAction, policy.SendKey = as.REPLACE, true
	const size = 128
	var next atomic.Int64
	var writing sync.WaitGroup
	b.ReportAllocs()
	for range 4 {
		writing.Go(func() {
			rows := make([]as.BatchRecordIfc, 0, size)
			for {
				first := next.Add(size) - size
				if first >= int64(b.N) {
					return
				}
				rows = rows[:0]
				for i := first; i < min(first+size, int64(b.N)); i++ {
					rows = append(rows, as.NewBatchWrite(policy, key(b, i), as.PutOp(as.NewBin("i", i)), as.PutOp(as.NewBin("text", text)),
						as.PutOp(as.NewBin("list", []any{1, 2, "three"})), as.PutOp(as.NewBin("map", map[any]any{"a": 1, "b": "c"}))))
				}
				if err := client.BatchOperate(nil, rows); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// The same, with requests that are made once: what the node alone needs.
func BenchmarkNode_batchWriteOwnCost(b *testing.B) {
	for _, shipped := range []bool{false, true} {
		b.Run(fmt.Sprintf("shipped=%t", shipped), func(b *testing.B) {
			var c devnode.Config
			if shipped {
				r := newReceiver(b, nil)
				c.Source = &xdrtest.Source{Address: r.Addr().String()}
			}
			conn := dial(b, listen(b, c))
			const size = 128
			requests := make([][]byte, 64)
			for i := range requests {
				rows := string(binary.BigEndian.AppendUint32(nil, size)) + "\x04"
				for j := range size {
					rows += string(binary.BigEndian.AppendUint32(nil, uint32(j))) + digestOf(i*size+j) + "\x0e\x00\x01\x10\x00\x00\xff\xff\xff\xff\x00\x02\x00\x04" +
						field(0, "test") + field(1, "people") + op(2, 1, "i", int27) + op(2, 3, "text", strings.Repeat("text", 50)) +
						op(2, 20, "list", "\x93\x01\x02\xa6\x03three") + op(2, 19, "map", "\x82\xa2\x03a\x01\xa2\x03b\xa2\x03c")
				}
				requests[i] = frame(3, command{info: "09 00 00", fields: []string{field(41, rows)}}.body())
			}
			answers := make([]byte, 2*8+(size+1)*22)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += size {
				if _, err := conn.Write(requests[i/size%len(requests)]); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, answers); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// digestOf returns a digest that depends on i in all partitions.
func digestOf(i int) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(i))
	return string(append(b, make([]byte, 16)...))
}

// Records that a client scans, with metadata only and with bins.
func BenchmarkNode_scan(b *testing.B) {
	n := listen(b, devnode.Config{})
	client := connect(b, n)
	const records = 200_000
	fill(b, client, records)
	for _, bins := range []bool{false, true} {
		b.Run(fmt.Sprintf("bins=%t", bins), func(b *testing.B) {
			policy := as.NewScanPolicy()
			policy.IncludeBinData, policy.RecordQueueSize = bins, 10_000
			got := 0
			for got < b.N {
				set, err := client.ScanPartitions(policy, as.NewPartitionFilterByRange(0, 4096), "test", "people")
				if err != nil {
					b.Fatal(err)
				}
				for r := range set.Results() {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
					got++
				}
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func fill(b *testing.B, client *as.Client, records int) {
	var rows []as.BatchRecordIfc
	for i := range records {
		rows = append(rows, as.NewBatchWrite(nil, key(b, i), as.PutOp(as.NewBin("i", i)), as.PutOp(as.NewBin("text", strings.Repeat("text", 50)))))
		if len(rows) == 500 || i == records-1 {
			if err := client.BatchOperate(nil, rows); err != nil {
				b.Fatal(err)
			}
			rows = rows[:0]
		}
	}
}

// What a scan costs the node alone: the answer is read and not looked at.
func BenchmarkNode_scanOwnCost(b *testing.B) {
	n := listen(b, devnode.Config{})
	const records = 200_000
	fill(b, connect(b, n), records)
	conn := dial(b, n)
	request := frame(3, command{info: "21 00 04", fields: []string{field(0, "test"), field(1, "people")}}.body())
	got := 0
	b.ResetTimer()
	for got < b.N {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for last := false; !last; {
			body := receive(b, conn, 3)
			last = body[len(body)-22+3] == 1
		}
		got += records
	}
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "records/s")
}
