package devnode_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
)

// goClient is a client that can do what commands do not say.
type goClient interface {
	client
	pages(namespace, set string, first, count int, size int64, bins bool) [][]byte
}

// goClients calls test with each Go client.
func goClients(t *testing.T, test func(t *testing.T, s server, c goClient)) {
	t.Helper()
	s := newServer(t)
	t.Run("v7", func(t *testing.T) { test(t, s, newClientV7(t, s.address)) })
	t.Run("v8", func(t *testing.T) { test(t, s, newClientV8(t, s.address)) })
}

// After generation 65,535 comes 1. The comparison with a later generation does not know that.
func TestClients_generationWrap(t *testing.T) {
	goClients(t, func(t *testing.T, s server, c goClient) {
		set := "wrap" + c.name()
		one := call{Do: "put", Namespace: s.namespace, Set: set, DigestSet: set, Key: strconv.FormatInt(time.Now().UnixNano(), 10), Bins: []bin{{"a", "1"}}}
		const last, most = 65_535, 5_000
		for left := last; left > 0; left -= most {
			batch := call{Do: "batch", Rows: slices.Repeat([]call{one}, min(left, most))}
			for i, row := range c.run(batch).Rows {
				if row.Code != 0 {
					t.Fatalf("row %d: code %d", i, row.Code)
				}
			}
		}
		read, greater := one.read(""), one
		zero, first, almost := uint32(0), uint32(1), uint32(last)
		for _, step := range []struct {
			generation *uint32 // that is to be greater than the stored one
			code       int
			then       uint32 // the generation afterwards
		}{
			{&first, 3, last}, {&zero, 3, last}, {nil, 0, 1}, {&first, 3, 1}, {&almost, 0, 2},
		} {
			greater.Generation, greater.Greater = step.generation, true
			if got := c.run(greater); got.Code != step.code {
				t.Errorf("code %d, want %d, before generation %d", got.Code, step.code, step.then)
			}
			if got := c.run(read); got.Gen != step.then {
				t.Errorf("generation %d, want %d", got.Gen, step.then)
			}
		}
	})
}

// A scan brings each record once, in descending order of the digests in a partition, also if
// each page begins where the one before ended.
func TestClients_scan(t *testing.T) {
	goClients(t, func(t *testing.T, s server, c goClient) {
		set, want := "scan"+c.name()+strconv.FormatInt(time.Now().UnixNano(), 10), map[change.Digest]bool{}
		const records, perBatch = 3000, 500
		for first := 0; first < records; first += perBatch {
			batch := call{Do: "batch"}
			for i := range perBatch {
				row := call{Do: "put", Namespace: s.namespace, Set: set, Key: strconv.Itoa(first + i), Bins: []bin{{"i", strconv.Itoa(i)}}}
				batch.Rows = append(batch.Rows, row)
				want[recordDigest(t, row)] = true
			}
			c.run(batch)
		}
		for _, size := range []int64{0, 1000, 77} {
			got, last := map[change.Digest]bool{}, map[int][]byte{}
			for _, b := range c.pages(s.namespace, set, 0, change.Partitions, size, size > 0) {
				d := change.Digest(b)
				if got[d] {
					t.Fatalf("pages of %d: record %s came twice", size, d)
				}
				if before, ok := last[d.Partition()]; ok && bytes.Compare(before, b) <= 0 {
					t.Errorf("pages of %d: %x came after %x", size, b, before)
				}
				got[d], last[d.Partition()] = true, b
			}
			if len(got) != len(want) {
				t.Errorf("pages of %d: %d records, want %d", size, len(got), len(want))
			}
		}
		const first, count = 1000, 300
		inRange := 0
		for d := range want {
			if p := d.Partition(); p >= first && p < first+count {
				inRange++
			}
		}
		if got := len(c.pages(s.namespace, set, first, count, 0, true)); got != inRange {
			t.Errorf("%d records in %d partitions, want %d", got, count, inRange)
		}
	})
}

// A node serves a thousand clients that do nothing but keep their connections, and one that
// works.
func TestClients_idle(t *testing.T) {
	const idle = 1000
	n := listen(t, devnode.Config{})
	host, port, err := net.SplitHostPort(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	policy := as.NewClientPolicy()
	policy.Timeout, policy.TendInterval = 30*time.Second, time.Hour
	connected := make(chan *as.Client, idle)
	var connecting sync.WaitGroup
	for range 20 {
		connecting.Go(func() {
			for range idle / 20 {
				c, err := as.NewClientWithPolicyAndHost(policy, as.NewHost(host, number))
				if err != nil {
					t.Error(err)
					continue
				}
				connected <- c
			}
		})
	}
	connecting.Wait()
	close(connected)
	var all []*as.Client
	for c := range connected {
		all = append(all, c)
	}
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	runTable(t, newClientV8(t, n.Addr()), "idle")
	key, keyErr := as.NewKey("test", "idle", "k")
	if keyErr != nil {
		t.Fatal(keyErr)
	}
	for i, c := range all {
		if err := c.Put(nil, key, as.BinMap{"i": i}); err != nil {
			t.Fatalf("client %d after it was idle: %v", i, err)
		}
	}
	if r, err := all[0].GetHeader(nil, key); err != nil || r.Generation != idle {
		t.Errorf("%v, error %v, want generation %d", r, err, idle)
	}
}

// runTable runs the stories that do not need the whole namespace.
func runTable(t *testing.T, c client, prefix string) {
	t.Helper()
	for _, s := range readStories(t, "test", prefix) {
		for i, cmd := range s.commands {
			if got := c.run(cmd); got.differs(s.want[i], c.name(), "node") != "" {
				t.Errorf("%s: %s: %s", s.title, s.lines[i], got.differs(s.want[i], c.name(), "node"))
			}
		}
	}
}

// While others send garbage, clients get the outcomes of the table.
func TestClients_garbage(t *testing.T) {
	n := listen(t, devnode.Config{})
	var sending sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		sending.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
					sendGarbage(n.Addr(), garbage(r))
				}
			}
		})
	}
	var working sync.WaitGroup
	for i, c := range []client{newClientV7(t, n.Addr()), newClientV8(t, n.Addr())} {
		working.Go(func() {
			for round := range 5 {
				runTable(t, c, fmt.Sprintf("garbage%d-%d-", i, round))
			}
		})
	}
	working.Wait()
	close(stop)
	sending.Wait()
}

// garbage returns bytes that are no request: random ones, a header that claims any size, a
// message of random bytes, or one whose fields overrun it.
func garbage(r *rand.Rand) []byte {
	random := make([]byte, r.IntN(300))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	kind := uint64(1 + r.IntN(3))
	head := func(size int) []byte { return binary.BigEndian.AppendUint64(nil, 2<<56|kind<<48|uint64(size)) }
	switch r.IntN(4) {
	case 0:
		return random
	case 1:
		return append(head(1<<r.IntN(40)), random...)
	case 2:
		return append(head(len(random)), random...)
	}
	message := []byte{22, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(r.IntN(9)), 0, byte(r.IntN(9))}
	message = append(message, random...)
	return append(head(len(message)), message...)
}

// sendGarbage sends bytes to a node, and reads until the node closes the connection or has
// nothing more to say.
func sendGarbage(address string, text []byte) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return // too many connections at once
	}
	defer conn.Close()
	_, _ = conn.Write(text) // the node may have closed it
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := io.Copy(io.Discard, conn); err != nil && !os.IsTimeout(err) {
		return // reset
	}
}
