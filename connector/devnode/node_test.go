package devnode_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/devnode"
)

func TestListen_remote(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:3000"} {
		n, err := devnode.Listen(address, devnode.Config{})
		if err == nil {
			n.Close()
			t.Errorf("%s is listened on", address)
		} else if !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: %v", address, err)
		}
	}
	n, err := devnode.Listen("0.0.0.0:0", devnode.Config{AllowRemote: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	// A client finds the address that it has reached, not 0.0.0.0, which is its own machine.
	_, port, _ := net.SplitHostPort(n.Addr())
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := "service-clear-std\t" + conn.RemoteAddr().String() + "\n"
	if got := exchange(t, conn, 1, []byte("service-clear-std\n")); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestListen_errors(t *testing.T) {
	taken := listen(t, devnode.Config{})
	for _, address := range []string{"127.0.0.1", "127.0.0.1:x", taken.Addr()} {
		if n, err := devnode.Listen(address, devnode.Config{}); err == nil || !strings.Contains(err.Error(), "development node") {
			t.Errorf("%s: %v, %v", address, n, err)
		}
	}
}

func TestListen_namespaces(t *testing.T) {
	for want, c := range map[string]devnode.Config{
		`"a:b" is not a name`:                                   {Namespaces: []string{"test", "a:b"}},
		`"" is not a name`:                                      {Namespaces: []string{""}},
		`is not a name of 1 to 31 bytes`:                        {Namespaces: []string{strings.Repeat("n", 32)}},
		`"other" is to be shipped, but the namespaces are test`: {Shipped: []string{"other"}},
	} {
		if n, err := devnode.Listen("127.0.0.1:0", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %s", n, err, want)
		}
	}
}

// Close ends connections in the middle of a request, of an answer, and of a scan with a rate.
func TestNode_Close(t *testing.T) {
	n, err := devnode.Listen("127.0.0.1:0", devnode.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client := connect(t, n)
	for i := range 100 {
		if err := client.Put(nil, key(t, i), as.BinMap{"text": strings.Repeat("x", 1<<19)}); err != nil {
			t.Fatal(err)
		}
	}
	idle, begun, full, slow := dial(t, n), dial(t, n), dial(t, n), dial(t, n)
	scan := command{info: "03 00 04", fields: []string{field(0, "test"), field(11, allPartitions)}}
	send := func(conn net.Conn, b []byte) {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(begun, []byte{2, 3, 0, 0, 1})
	send(full, frame(3, scan.body())) // 50 MiB that are not read
	scan.fields = append(scan.fields, field(10, "\x00\x00\x00\x14"))
	send(slow, frame(3, scan.body()))
	receive(t, slow, 3)
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, conn := range map[string]net.Conn{"idle": idle, "begun": begun, "full": full, "slow": slow} {
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A scan with a rate takes its time.
func TestNode_scanRate(t *testing.T) {
	n := listen(t, devnode.Config{})
	client := connect(t, n)
	for i := range 40 {
		if err := client.Put(nil, key(t, i), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	conn, began := dial(t, n), time.Now()
	scan := command{info: "21 00 04", fields: []string{field(0, "test"), field(11, allPartitions), field(10, "\x00\x00\x00\x64")}} // 100/s
	if _, err := conn.Write(frame(3, scan.body())); err != nil {
		t.Fatal(err)
	}
	frames := 0
	for last := false; !last; frames++ {
		body := receive(t, conn, 3)
		last = body[len(body)-22+3] == 1
	}
	if took := time.Since(began); frames < 8 || took < 300*time.Millisecond {
		t.Errorf("%d frames in %s", frames, took)
	}
}

// A scan that is limited, and one that goes on behind the last digest, bring every record once.
func TestNode_scanPages(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	for i := range 500 {
		if err := client.Put(nil, key(t, i), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	filter := as.NewPartitionFilterByRange(0, 4096)
	seen := map[int]int{}
	pages := 0
	for ; !filter.IsDone(); pages++ {
		policy := as.NewScanPolicy()
		policy.MaxRecords = 70
		policy.FilterExpression = as.ExpLess(as.ExpIntBin("i"), as.ExpIntVal(400))
		set, err := client.ScanPartitions(policy, filter, "test", "people")
		if err != nil {
			t.Fatal(err)
		}
		for r := range set.Results() {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			seen[r.Record.Bins["i"].(int)]++
		}
		if pages > 100 {
			t.Fatal("the scan does not end")
		}
	}
	for i, n := range seen {
		if n != 1 || i >= 400 {
			t.Errorf("record %d came %d times", i, n)
		}
	}
	if len(seen) != 400 || pages < 6 {
		t.Errorf("%d records in %d pages", len(seen), pages)
	}
}

func TestNode_info(t *testing.T) {
	n := listen(t, devnode.Config{Namespaces: []string{"test", "dev"}, Now: fixedClock})
	client := connect(t, n)
	for i := range 3 {
		if err := client.Put(nil, key(t, i), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	durable := as.NewWritePolicy(0, 0)
	durable.DurableDelete = true
	if _, err := client.Delete(durable, key(t, 0)); err != nil {
		t.Fatal(err)
	}
	bitmap := strings.Repeat("/", 682) + "8="
	conn := dial(t, n)
	for request, want := range map[string]string{
		"build\n":                        "build\t8.0.0.0\n",
		"peers-generation\nbuild\n":      "peers-generation\t0\nbuild\t8.0.0.0\n",
		"build":                          "build\t8.0.0.0\n",
		"partition-generation\n":         "partition-generation\t0\n",
		"peers-clear-std\n":              "peers-clear-std\t0,3000,[]\n",
		"replicas\n":                     "replicas\ttest:0,1," + bitmap + ";dev:0,1," + bitmap + "\n",
		"cluster-name\n":                 "cluster-name\tnull\n",
		"service-clear-std\n":            "service-clear-std\t" + n.Addr() + "\n",
		"namespaces\n":                   "namespaces\ttest;dev\n",
		"edition\n":                      "edition\tAerosink development node\n",
		"sets/test\n":                    "sets/test\tns=test:set=people:objects=2:tombstones=1;\n",
		"sets/test/people\n":             "sets/test/people\tobjects=2:tombstones=1;\n",
		"sets/dev\n":                     "sets/dev\t\n",
		"sets/no\n":                      "sets/no\tns_type=unknown\n",
		"get-config:context=xdr\n":       "get-config:context=xdr\tdcs=\n",
		"get-config:context=network\n":   "get-config:context=network\tERROR:4:invalid context\n",
		"roster:namespace=test\n":        "roster:namespace=test\tERROR:25:enterprise only\n",
		"latencies:\n":                   "latencies:\tERROR:4:unrecognized command\n",
		"what\n":                         "what\tERROR:4:unrecognized command\n",
		"set-config:context=service;a\n": "set-config:context=service;a\tERROR:4:invalid context\n",
		"truncate:namespace=test\n":      "truncate:namespace=test\tERROR:4:missing 'set'\n",
		"truncate:namespace=test;set=people;lut=x\n":            "truncate:namespace=test;set=people;lut=x\tERROR:4:lut is not a number of nanoseconds\n",
		"set-config:context=xdr;dc=d;namespace=no;action=add\n": "set-config:context=xdr;dc=d;namespace=no;action=add\tERROR:20:namespace not found on node\n",
	} {
		if diff := cmp.Diff(want, string(exchange(t, conn, 1, []byte(request)))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", request, diff)
		}
	}
	for request, part := range map[string]string{
		"\n":                                     "\nbuild\t8.0.0.0\n",
		"":                                       "\nbuild\t8.0.0.0\n",
		"version\n":                              "not an Aerospike server",
		"features\n":                             ";pscans;",
		"namespace/test\n":                       "objects=2;master_objects=2;tombstones=1;",
		"get-config:context=namespace;id=test\n": "default-ttl=0;nsup-period=1",
		"statistics\n":                           "cluster_size=1;objects=2;client_connections=",
	} {
		if got := string(exchange(t, conn, 1, []byte(request))); !strings.Contains(got, part) || strings.HasSuffix(got, ";\n") {
			t.Errorf("%q: %q", request, got)
		}
	}
	other := listen(t, devnode.Config{})
	if a, b := exchange(t, conn, 1, []byte("node\n")), exchange(t, dial(t, other), 1, []byte("node\n")); string(a) == string(b) || len(a) != len("node\t32C901000000FC02\n") {
		t.Errorf("%s and %s", a, b)
	}
}

// Truncate removes the records of a set that were written before.
func TestNode_truncate(t *testing.T) {
	var offset atomic.Int64
	client := connect(t, listen(t, devnode.Config{Now: func() time.Time { return start.Add(time.Duration(offset.Load())) }}))
	other, err := as.NewKey("test", "others", 1)
	if err != nil {
		t.Fatal(err)
	}
	put := func(k *as.Key) {
		t.Helper()
		if err := client.Put(nil, k, as.BinMap{"i": 1}); err != nil {
			t.Fatal(err)
		}
	}
	exist := func(want ...bool) {
		t.Helper()
		for i, k := range []*as.Key{key(t, 1), key(t, 2), other} {
			if got, err := client.Exists(nil, k); got != want[i] || err != nil {
				t.Errorf("record %d: %t, %v", i, got, err)
			}
		}
	}
	put(key(t, 1))
	put(other)
	offset.Store(int64(time.Minute))
	put(key(t, 2))
	before := start.Add(time.Second)
	if err := client.Truncate(nil, "test", "people", &before); err != nil {
		t.Fatal(err)
	}
	exist(false, true, true)
	if err := client.Truncate(nil, "test", "people", nil); err != nil {
		t.Fatal(err)
	}
	exist(false, false, true)
	put(key(t, 1))
	if err := client.Truncate(nil, "test", "", nil); err != nil {
		t.Fatal(err)
	}
	exist(false, false, false)
}

// Each fault does what it says, and Fault is told what the request is.
func TestNode_faults(t *testing.T) {
	var mu sync.Mutex
	var seen []devnode.Command
	var next devnode.Fault
	n := listen(t, devnode.Config{Fault: func(c devnode.Command) devnode.Fault {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c)
		return next
	}})
	last := func() devnode.Command {
		mu.Lock()
		defer mu.Unlock()
		return seen[len(seen)-1]
	}
	set := func(f devnode.Fault) {
		mu.Lock()
		defer mu.Unlock()
		next = f
	}
	conn := dial(t, n)
	put := command{info: "00 01 00", fields: one(1), ops: []string{op(2, 1, "a", "\x01")}}
	get := command{info: "03 00 00", fields: one(1)}
	scan := command{info: "03 00 04", fields: []string{field(0, "test"), field(1, "s"), field(11, allPartitions)}}
	row := func(i uint32) string {
		return string(binary.BigEndian.AppendUint32(nil, i)) + strings.Repeat("b", 20) + "\x01"
	}
	batch := command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x03\x04\x00\x00\x00\x00"+strings.Repeat("b", 20)+"\x0e\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"+
		field(0, "test")+field(1, "s")+op(2, 1, "a", "\x01")+row(1)+row(2))}}
	set(devnode.Fault{Code: 18})
	for name, tt := range map[string]struct {
		command command
		want    devnode.Command
		info3   byte
	}{
		"put":   {put, devnode.Command{Kind: devnode.Write, Namespace: "test", Set: "s", Writes: true}, 0},
		"get":   {get, devnode.Command{Kind: devnode.Read, Namespace: "test", Set: "s"}, 0},
		"scan":  {scan, devnode.Command{Kind: devnode.Scan, Namespace: "test", Set: "s"}, 0},
		"batch": {batch, devnode.Command{Kind: devnode.Batch, Namespace: "test", Set: "s", Rows: 3, Writes: true}, 1},
	} {
		got := exchange(t, conn, 3, tt.command.body())
		if got[5] != 18 || got[3] != tt.info3 || len(got) != 22 {
			t.Errorf("%s: % x", name, got)
		}
		if diff := cmp.Diff(tt.want, last()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	set(devnode.Fault{Rows: map[int]devnode.Code{1: 8}})
	if got, want := exchangeAll(t, conn, batch), []byte{0, 8, 0, 0}; !cmp.Equal([]byte{got[5], got[27], got[49], got[71]}, want) || got[53] != 2 {
		t.Errorf("rows: % x, want codes % x", got, want)
	}
	set(devnode.Fault{})
	generation := func() byte { return exchange(t, conn, 3, get.body())[9] }
	if exchange(t, conn, 3, put.body()); generation() != 1 {
		t.Error("no record was written")
	}
	dropped := func(f devnode.Fault, c command) {
		t.Helper()
		set(f)
		victim := dial(t, n)
		if _, err := victim.Write(frame(3, c.body())); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(victim); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got % x, %v", got, err)
		}
		set(devnode.Fault{})
	}
	if dropped(devnode.Fault{DropBefore: true}, put); generation() != 1 {
		t.Error("carried out before the connection was closed")
	}
	if dropped(devnode.Fault{DropAfter: true}, put); generation() != 2 {
		t.Error("not carried out before the connection was closed")
	}
	dropped(devnode.Fault{DropAfter: true}, batch)
	dropped(devnode.Fault{DropAfter: true}, scan)
	if got := exchange(t, conn, 1, []byte("build\n")); last().Kind != devnode.Info || len(last().Names) != 1 || string(got) != "build\t8.0.0.0\n" {
		t.Errorf("%+v, %s", last(), got)
	}
}

// A batch without the flag to answer all rows answers none if one fails, but carries out all.
func TestNode_batchEndsEarly(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	create := as.NewBatchWritePolicy()
	create.RecordExistsAction = as.CREATE_ONLY
	for _, all := range []bool{true, false} {
		policy := as.NewBatchPolicy()
		policy.RespondAllKeys = all
		var rows []as.BatchRecordIfc
		for _, k := range []string{"a", "same", "same", "b"} {
			k := key(t, k+map[bool]string{true: "1", false: "2"}[all])
			rows = append(rows, as.NewBatchWrite(create, k, as.PutOp(as.NewBin("i", 1))))
		}
		_ = client.BatchOperate(policy, rows) // the rows say what happened
		var codes []types.ResultCode
		for _, r := range rows {
			codes = append(codes, r.BatchRec().ResultCode)
		}
		want := []types.ResultCode{types.OK, types.OK, types.KEY_EXISTS_ERROR, types.OK}
		if !all {
			want = slices.Repeat([]types.ResultCode{types.NO_RESPONSE}, len(rows))
		}
		if !cmp.Equal(codes, want) {
			t.Errorf("respond to all: %t: codes %v, want %v", all, codes, want)
		}
		if exists, err := client.Exists(nil, rows[3].BatchRec().Key); err != nil || !exists {
			t.Errorf("respond to all: %t: the row behind the one that failed was not carried out: %v", all, err)
		}
	}
}
