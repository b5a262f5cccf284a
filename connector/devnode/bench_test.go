//go:build unix

package devnode_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// report reports the rate of n records since the timer was reset, and what the process, clients
// included, needed for each of them: on a machine that does other things too, only that can be
// compared.
func report(b *testing.B, n int, began time.Duration) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(cpu(b)-began)/float64(n), "cpu-ns/record")
}

// cpu returns the CPU time of the process so far.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

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
	began := cpu(b)
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
	report(b, b.N, began)
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
			b.ReportAllocs()
			b.ResetTimer()
			began := cpu(b)
			writeRaw(b, conn, b.N)
			report(b, b.N, began)
		})
	}
}

// writeRaw writes n records in batches of 128.
func writeRaw(b *testing.B, conn net.Conn, n int) {
	const size = 128
	answers := make([]byte, 2*8+(size+1)*22)
	request := rawBatch(size)
	row := (len(request) - batchHeader) / size
	for i := 0; i < n; i += size {
		for j := range size {
			binary.LittleEndian.PutUint32(request[batchHeader+j*row+4:], uint32(i+j))
		}
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answers); err != nil {
			b.Fatal(err)
		}
	}
}

// batchHeader is the size of what is in front of the rows of a batch.
const batchHeader = 8 + 22 + 5 + 5

// rawBatch returns a request that writes records of four bins. The digests are zero.
func rawBatch(size int) []byte {
	rows := string(binary.BigEndian.AppendUint32(nil, uint32(size))) + "\x04"
	for j := range size {
		rows += string(binary.BigEndian.AppendUint32(nil, uint32(j))) + string(make([]byte, 20)) + "\x0e\x00\x01\x10\x00\x00\xff\xff\xff\xff\x00\x02\x00\x04" +
			field(0, "test") + field(1, "people") + op(2, 1, "i", int27) + op(2, 3, "text", strings.Repeat("text", 50)) +
			op(2, 20, "list", "\x93\x01\x02\xa6\x03three") + op(2, 19, "map", "\x82\xa2\x03a\x01\xa2\x03b\xa2\x03c")
	}
	return frame(3, command{info: "09 00 00", fields: []string{field(41, rows)}}.body())
}

// From the first write until a connector in the same process has acknowledged the last
// record.
func BenchmarkNode_ship(b *testing.B) {
	r := newReceiver(b, func(int) xdr.Code { return xdr.OK })
	r.forget = true
	n, s := shipping(b, r, devnode.Config{})
	run(b, s)
	conn := dial(b, n)
	b.ResetTimer()
	began := cpu(b)
	writeRaw(b, conn, b.N)
	settle(b, s)
	report(b, b.N, began)
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
			got, began := 0, cpu(b)
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
			report(b, got, began)
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
	request := frame(3, command{info: "21 00 04", fields: []string{field(0, "test"), field(1, "people"), field(11, allPartitions)}}.body())
	got, began := 0, cpu(b)
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
	report(b, got, began)
}
