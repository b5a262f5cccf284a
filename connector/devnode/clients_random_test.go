package devnode_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/devnode"
)

var randomSeed = flag.Uint64("seed", 0, "the seed of the tests with random commands; 0 takes one of the clock")

// randomOperations is how many commands a test with random commands runs, in all.
const randomOperations = 10_000

// randomSeedOf returns the seed of a test, and logs how to repeat it.
func randomSeedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -run %s -seed %d", t.Name(), seed)
	return seed
}

// Four clients run random commands on the same records, while every fifth request to the
// connector's destination fails. In the end the newest version of each record at the
// destination is what the node has.
func TestClients_random(t *testing.T) {
	seed := randomSeedOf(t)
	s := newPipeline(t, delivertest.Mixed(5, delivertest.Status500, delivertest.Half, delivertest.Close))
	address := s.node.Addr()
	all := []client{newClientV7(t, address), newClientV8(t, address), newClientV7(t, address), newClientV8(t, address)}
	var codes [256]atomic.Int64
	var working sync.WaitGroup
	for i, c := range all {
		working.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range randomOperations / len(all) {
				cmd := randomBatch(r)
				for _, o := range append(c.run(cmd).Rows, outcome{Code: -1}) {
					if o.Code >= 0 {
						codes[o.Code%256].Add(1)
					}
				}
			}
		})
	}
	working.Wait()
	if t.Failed() {
		return
	}
	var seen []string
	for code := range codes {
		if n := codes[code].Load(); n > 0 {
			seen = append(seen, fmt.Sprintf("code %d: %d", code, n))
		}
	}
	t.Log(seen)
	for _, code := range []int{0, 2, 3, 5, 12, 27} {
		if codes[code].Load() == 0 {
			t.Errorf("no command had code %d", code)
		}
	}
	s.wantNewest(t)
	if stats := s.source.Stats(); stats.RetryDest == 0 {
		t.Errorf("no change was shipped again: %v", stats)
	}
}

// The node gives a client the outcomes of a real server for random commands.
func TestClients_likeServer(t *testing.T) {
	real := newServer(t)
	if !real.real {
		t.Skip("AEROSPIKE_HOST names no server to compare the node with")
	}
	node := server{listen(t, devnode.Config{}).Addr(), "test", false}
	seed := randomSeedOf(t)
	r := rand.New(rand.NewPCG(seed, 0))
	run := fmt.Sprintf("%d", time.Now().UnixNano()%1e9)
	ours, theirs := newClientV7(t, node.address), newClientV7(t, real.address)
	durable, expires := real.allows(theirs, call{Do: "delete", Durable: true}), real.expires(theirs)
	for i := range randomOperations {
		row := randomRow(r)
		row.Durable = row.Durable && durable
		if _, err := strconv.Atoi(row.TTL); err == nil && !expires {
			row.TTL = ""
		}
		if r.IntN(2) == 0 {
			row = call{Do: "batch", Rows: []call{row, row}}
		}
		mine := ours.run(row.in(node.namespace, run))
		want := theirs.run(row.in(real.namespace, run))
		// Of two times to live the later one is shorter, so either may be.
		if text := mine.differs(want); text != "" && want.differs(mine) != "" {
			t.Fatalf("command %d: %s: %s", i, row.literal(), text) // the next ones follow from it
		}
	}
}

// literal returns c as JSON, for an error.
func (c call) literal() string {
	text, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// in returns c in a namespace, and in sets whose names begin with prefix.
func (c call) in(namespace, prefix string) call {
	c.Namespace, c.Set, c.DigestSet = namespace, prefix+c.Set, prefix+c.DigestSet
	rows := c.Rows
	c.Rows = nil
	for _, row := range rows {
		c.Rows = append(c.Rows, row.in(namespace, prefix))
	}
	return c
}

// randomBatch returns a batch of random rows, of one row mostly.
func randomBatch(r *rand.Rand) call {
	c := call{Do: "batch"}
	for range 1 + r.IntN(2)*r.IntN(6) {
		c.Rows = append(c.Rows, randomRow(r))
	}
	return c
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// randomRow returns a call for one of 400 records. Numbers are in bins of other names than
// strings, but either may be in the bin x. Some calls are refused.
func randomRow(r *rand.Rand) call {
	set := pick(r, "a", "b")
	c := call{Namespace: "test", Set: set, DigestSet: set, Key: strconv.Itoa(r.IntN(200)), SendKey: r.IntN(2) == 0}
	if r.IntN(4) == 0 {
		c.Filter = pick(r, "i", "x", "absent", "lut") + pick(r, "<", "<=", "==", "!=", ">=", ">") + strconv.Itoa(r.IntN(100))
	}
	if r.IntN(8) == 0 {
		generation := uint32(r.IntN(6))
		c.Generation, c.Greater = &generation, r.IntN(2) == 0
	}
	if r.IntN(4) == 0 {
		c.TTL = pick(r, "never", "keep", "100000", "400000000")
	}
	switch r.IntN(30) {
	case 0:
		c.Set = "c" // not the set of the record
		c.DigestOf = c.Key
	case 1:
		c.DigestOf = strconv.Itoa(r.IntN(200)) // not the key of the record
	case 2:
		c.DigestOf, c.Key = c.Key, "null"
	}
	switch r.IntN(12) {
	case 0, 1, 2:
		c.Do, c.Bins = "put", randomBins(r)
		c.Exists = pick(r, "", "", "update-only", "create-only")
	case 3:
		c.Do, c.Bins, c.Exists = "put", randomBins(r), pick(r, "replace", "replace-only")
	case 4, 5, 6:
		c.Do = "operate"
		for range 1 + r.IntN(4) {
			c.Ops = append(c.Ops, randomOp(r))
		}
		c.Exists = pick(r, "", "", "", "update-only", "create-only", "replace", "replace-only")
	case 7:
		c.Do = "touch"
	case 8:
		c.Do, c.Durable = "delete", r.IntN(2) == 0
	case 9:
		c.Do = "header"
	default:
		c.Do = "get"
		if r.IntN(2) == 0 {
			c.Select = []string{"i", "absent"}
		}
	}
	return c
}

// randomBins returns bins with different names.
func randomBins(r *rand.Rand) (bins []bin) {
	for range 1 + r.IntN(3) {
		b := randomBin(r)
		if !slices.ContainsFunc(bins, func(other bin) bool { return other.Name == b.Name }) {
			bins = append(bins, b)
		}
	}
	return bins
}

func randomBin(r *rand.Rand) bin {
	switch r.IntN(4) {
	case 0:
		return bin{pick(r, "i", "j", "x"), strconv.Itoa(r.IntN(100))}
	case 1:
		return bin{pick(r, "s", "t", "x"), strconv.Quote(strconv.Itoa(r.IntN(100)))}
	case 2:
		return bin{pick(r, "i", "s", "v"), "null"}
	}
	return bin{"v", pick(r, "1.5", "true", "0xcafe", `[1,[2,"x"]]`, `{"a":1,"b":[true]}`, `geo:"{\"type\":\"Point\",\"coordinates\":[1.5,2.5]}"`,
		"raw:20:9301", "raw:20:93c70001020101", "raw:19:81c001", "raw:19:82c70001c0a2036101", "raw:17:02", "raw:18:00", "raw:99:00", `geo:"no"`)}
}

// randomOp returns an operation. Two of a call may be of the same bin.
func randomOp(r *rand.Rand) callOp {
	b := randomBin(r)
	switch r.IntN(12) {
	case 0, 1:
		return callOp{"get", bin{Name: b.Name}}
	case 2:
		return callOp{Do: "touch"}
	case 3:
		if r.IntN(4) == 0 {
			return callOp{Do: "delete"}
		}
		return callOp{Do: "touch"}
	case 4, 5, 6:
		return callOp{pick(r, "add", "append", "prepend"), b}
	case 7, 8:
		return callOp{pick(r, "append", "prepend"), bin{pick(r, "s", "t", "x"), `"z"`}}
	case 9, 10:
		return callOp{"add", bin{pick(r, "i", "j", "x"), "1"}}
	}
	return callOp{"put", b}
}

// wantNewest checks that the newest version of each record that arrived is the one that a
// client reads, and that there is no other record.
func (s *pipeline) wantNewest(t *testing.T) {
	t.Helper()
	arrived := s.settled(t)
	c := newClientV7(t, s.node.Addr())
	records, err := c.client.ScanAll(as.NewScanPolicy(), "test", "")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for result := range records.Results() {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		d := change.Digest(result.Record.Key.Digest())
		is, ok := arrived[d]
		if !ok || is.Set != result.Record.Key.SetName() {
			t.Errorf("record %s: it did not arrive, or in the set %q", d, is.Set)
			continue
		}
		if text := differs(c.record(result.Record, nil), &is); text != "" {
			t.Errorf("record %s: %s", d, text)
		}
		delete(arrived, d)
		read++
	}
	if read == 0 {
		t.Error("the node has no records")
	}
	for d, is := range arrived {
		if !is.Op.IsDelete() {
			t.Errorf("record %s arrived, and the node does not have it", d)
		}
	}
}
