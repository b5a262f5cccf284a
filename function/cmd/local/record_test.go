package main

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
)

// startLocal runs the program with args until the test ends, and returns its output and the
// address of its node.
func startLocal(t *testing.T, args ...string) (out *changetest.Output, node string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out = new(changetest.Output)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append([]string{"-node", "127.0.0.1:0"}, args...), out, out) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("local %s: %v", args, err)
		}
	})
	node = out.Find(t, `node +(\S+:\d+)`)
	out.Find(t, `Press Ctrl-C`)
	return out, node
}

// command runs a client command and returns what it prints.
func command(t *testing.T, node string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), append([]string{"-node", node}, args...), &out, io.Discard)
	return out.String(), err
}

// A record is written, read and deleted through a local that runs, and each write and the
// delete come out of Pub/Sub, with the objects that hold them.
func TestPut_comesOut(t *testing.T) {
	out, node := startLocal(t)
	for _, step := range []struct {
		args []string
		want string
		out  string // pattern of what comes out
	}{
		{[]string{"put", "shop.customers", "k1", "name=Joe", "age=27"}, "written shop.customers k1, generation 1, never expires\n", `generation=1 .*set=customers`},
		{[]string{"put", "shop.customers", "k1", "age=28", `tags=["a","b"]`, `zip="8001"`, "-ttl", "1h"}, "written shop.customers k1, generation 2, expires in 3600s\n", `generation=2 .*set=customers`},
		{[]string{"get", "shop.customers", "k1"}, "generation 2, expires in 3600s\n  age=28\n  name=Joe\n  tags=[\"a\",\"b\"]\n  zip=\"8001\"\n", ""},
		{[]string{"put", "shop.customers", "k1", "name=null"}, "written shop.customers k1, generation 3, never expires\n", `generation=3 .*set=customers`},
		{[]string{"delete", "shop.customers", "k1"}, "deleted shop.customers k1\n", `\d  delete +shop\.customers  \d`},
		{[]string{"put", "test", "5", "-int", "paid=true"}, "written test 5, generation 1, never expires\n", `\d  write +test  \d`},
		{[]string{"delete", "test", "5", "-int", "-durable"}, "deleted test 5\n", `\d  durable-delete +test  \d`},
	} {
		got, err := command(t, node, step.args...)
		if err != nil || strings.ReplaceAll(got, "3599s", "3600s") != step.want {
			t.Errorf("%q: %q, error %v, want %q", step.args, got, err, step.want)
		}
		if step.out != "" { // a later write could supersede this one before it is shipped
			out.Find(t, step.out)
		}
	}
	for _, want := range []string{
		`data +{"msg":"write","key":\["shop","customers","\S+","k1"\],"gen":1,"exp":0,"lut":\d+,"bins":\[{"name":"name","type":"str","value":"Joe"},{"name":"age","type":"int","value":27}\]}`,
		`"gen":2,"exp":\d+,"lut":\d+,"bins":\[.*{"name":"zip","type":"str","value":"8001"}`,
		`data +{"msg":"delete","key":\["shop","customers","\S+","k1"\]`,
		`data +{"msg":"delete","key":\["test",null,"\S+",5\],.*"durable":true}`,
		`object  gs://archive/changes/namespace=shop/set=customers/dt=\S+/hour=\d+/\S+\.ndjson  1 change, \d+ bytes`,
		`object  gs://archive/changes/namespace=test/set=__HIVE_DEFAULT_PARTITION__/`,
	} {
		out.Find(t, want)
	}
}

// The record's key, digest and bins are there for programs too.
func TestGet_json(t *testing.T) {
	_, node := startLocal(t)
	if _, err := command(t, node, "put", "test.s", "00ff", "-bytes", `m={"a":[1,null]}`, "f=2.5", "b=false"); err != nil {
		t.Fatal(err)
	}
	got, err := command(t, node, "get", "test.s", "00ff", "-bytes", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	const want = `"generation":1,"expires":false,"bins":{"b":false,"f":2.5,"m":{"a":[1,null]}}}` + "\n"
	if !strings.HasPrefix(got, `{"namespace":"test","set":"s","key":"AP8=","digest":"`) || !strings.HasSuffix(got, want) || !stdjson.Valid([]byte(got)) {
		t.Errorf("%s, want … %s", got, want)
	}
	got, err = command(t, node, "delete", "test.s", "00ff", "-bytes", "-o", "json")
	if err != nil || !strings.HasSuffix(got, `"done":"deleted"}`+"\n") {
		t.Errorf("%s, error %v", got, err)
	}
}

// Changes of a namespace that is not shipped stay at the node.
func TestPut_notShipped(t *testing.T) {
	out, node := startLocal(t, "-namespaces", "a", "-unshipped", "b", "-o", "line")
	for _, path := range []string{"b.s", "a.s"} {
		if _, err := command(t, node, "put", path, "k", "x=1"); err != nil {
			t.Fatal(err)
		}
	}
	out.Find(t, `   1  \S+  write   a\.s  k  generation 1  x=1`)
	if got, err := command(t, node, "get", "b.s", "k"); err != nil || got != "generation 1, never expires\n  x=1\n" {
		t.Errorf("%q, error %v", got, err)
	}
	if strings.Contains(out.String(), " b.s ") {
		t.Errorf("the change was shipped:\n%s", out)
	}
}

func TestRecord_errors(t *testing.T) {
	n := devnodetest.Start(t, devnode.Config{Namespaces: []string{"test"}})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := silent.Addr().String()
	silent.Close()
	if silent, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, tt := range []struct {
		args []string
		err  string
	}{
		{[]string{"get", "test.s", "nobody"}, "local get: the node has no record test.s nobody"},
		{[]string{"delete", "test.s", "nobody"}, "local delete: the node has no record test.s nobody"},
		{[]string{"put", "test.s", "nobody", "a=null"}, "local put: the node has no record test.s nobody"},
		{[]string{"put", "other.s", "k", "a=1"}, "record other.s k: the node has no namespace of that name; start local with -namespaces (result code 20)"},
		{[]string{"put", "test.s", "k", "a=" + strings.Repeat("x", 1<<20)}, "record test.s k: the record is larger than 1 MiB (result code 13)"},
		{[]string{"put", "test." + strings.Repeat("s", 64), "k", "a=1"}, "the node does not take a name or a value (result code 4)"},
		{[]string{"put", "test.s", "k", "a"}, `an argument is not NAME=VALUE; run "local help put"`},
		{[]string{"put", "test.s", "k"}, `missing NAME=VALUE; run "local help put"`},
		{[]string{"put", "test.s", "k", "a=1", "-ttl", "1500ms"}, "-ttl: 1.5s is not a number of whole seconds from 0 to 315360000"},
		{[]string{"put", "test.s", "k", "a=1", "-ttl", "87601h"}, "-ttl: 87601h0m0s is not"},
		{[]string{"put", "test.s", "k", "a=1", "-ttl", "-1s"}, "-ttl: -1s is not"},
		{[]string{"get", "test.s", "x", "-int"}, `-int: KEY "x" is not a 64-bit integer`},
		{[]string{"get", "test.s", "x", "-bytes"}, `-bytes: KEY "x" is not hexadecimal`},
		{[]string{"get", "test.s", "1", "-bytes", "-int"}, "-int and -bytes exclude each other"},
		{[]string{"get", ".s", "k"}, `".s" is not NAMESPACE.SET`},
		{[]string{"get", "test.s", "k", "-o", "xml"}, `-o: unknown form "xml": want text or json`},
		{[]string{"get", "test.s", "k", "-node", "3000"}, `-node: "3000" is not HOST:PORT`},
		{[]string{"get", "test.s", "k", "-node", "127.0.0.1:x"}, `-node: "127.0.0.1:x" is not HOST:PORT`},
		{[]string{"get", "test.s", "k", "-node", closed}, "no node answers at " + closed + `; start one with "go run ./function/cmd/local", or name another with -node`},
		{[]string{"get", "test.s", "k", "-timeout", "200ms", "-node", silent.Addr().String()}, "something listens at " + silent.Addr().String() + ", but does not answer as an Aerospike node"},
	} {
		_, err := command(t, n.Addr(), tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%.60q: error %v, want one that says %q", tt.args, err, tt.err)
		}
	}
}

// What the node answers, or does not, is said in plain words.
func TestRecord_faults(t *testing.T) {
	var fault atomic.Pointer[devnode.Fault]
	n := devnodetest.Start(t, devnode.Config{Fault: func(c devnode.Command) devnode.Fault {
		if c.Kind == devnode.Info {
			return devnode.Fault{}
		}
		return *fault.Load()
	}})
	for _, tt := range []struct {
		fault devnode.Fault
		args  string
		err   string
	}{
		{devnode.Fault{Code: 22}, "put test.s k a=1 -ttl 1s", "record test.s k: the namespace takes no TTL; leave out -ttl (result code 22)"},
		{devnode.Fault{Code: 8}, "put test.s k a=1", "record test.s k at " + n.Addr() + ": "},
		{devnode.Fault{DropAfter: true}, "put test.s k a=1", "no answer, so the write may have been carried out; look with \"local get\""},
		{devnode.Fault{DropBefore: true}, "get test.s k", "record test.s k at " + n.Addr() + ": "},
	} {
		fault.Store(&tt.fault)
		_, err := command(t, n.Addr(), strings.Fields(tt.args)...)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: error %v, want one that says %q", tt.fault, err, tt.err)
		}
	}
}

// With -allow-remote the node listens on all addresses, and says where it is on this machine.
func TestFollow_allowRemote(t *testing.T) {
	out, _ := startLocal(t, "-node", "0.0.0.0:0", "-allow-remote")
	node := out.Find(t, `-node (127\.0\.0\.1:\d+) put`)
	if _, err := command(t, node, "put", "test.s", "k", "a=1"); err != nil {
		t.Error(err)
	}
}

// Ctrl-C ends a local that shows changes of its node, which then is gone, and so is the
// folder; what was written before is in the objects that were to be kept.
func TestFollow_interrupt(t *testing.T) {
	folder := t.TempDir()
	var screen changetest.Output
	process := changetest.Command(t, "-node", "127.0.0.1:0", "-dir", folder, "-o", "line")
	process.Stdout = &screen
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	node := screen.Find(t, `node +(127\S+)`)
	screen.Find(t, `Press Ctrl-C`)
	if _, err := command(t, node, "put", "test.s", "k", "a=1"); err != nil {
		t.Fatal(err)
	}
	if err := process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	if _, err := net.Dial("tcp", node); err == nil {
		t.Error("the node still listens")
	}
	if _, err := os.Stat(folder + "/archive/changes/namespace=test/set=s"); err != nil {
		t.Errorf("the change is not in the archive: %v", err)
	}
}

// A terminal that is closed ends the program, which leaves no folder behind.
func TestFollow_hangup(t *testing.T) {
	temp := t.TempDir()
	var screen changetest.Output
	process := changetest.Command(t, "-node", "127.0.0.1:0")
	process.Env = append(process.Env, "TMPDIR="+temp)
	process.Stdout = &screen
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Find(t, `Press Ctrl-C`)
	if err := process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

// A reader of the output that goes away ends the program, and leaves no folder behind.
func TestFollow_readerGone(t *testing.T) {
	temp := t.TempDir()
	process := changetest.Command(t, "-node", "127.0.0.1:0", "-play", "-o", "line")
	process.Env = append(process.Env, "TMPDIR="+temp)
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	if err := process.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}
