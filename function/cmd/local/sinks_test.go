package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"

	"github.com/aerosink/aerosink/function/pipeline"
)

// The node can be a sink too: what is written to a namespace that is shipped appears in one
// that is not.
func TestFollow_aerospikeSink(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t)+1)
	out, node := startLocal(t, "-o", "line", "-node", address, "-sinks", "pubsub://aerosink-local/changes,aerospike://"+address+"/restore?mode=records&from=shop")
	for _, step := range []struct{ put, out, get string }{
		{"put shop.customers k1 name=Joe", `write +shop\.customers  k1  generation 1`, "  name=Joe\n"},
		{"put shop.customers k1 name=null age=27", `write +shop\.customers  k1  generation 2`, "  age=27\n"},
		{"delete shop.customers k1", `delete +shop\.customers  k1`, ""},
	} {
		if _, err := command(t, node, strings.Fields(step.put)...); err != nil {
			t.Fatal(err)
		}
		out.Find(t, step.out)
		// The connector's batch is done when the sink has it, which may be after Pub/Sub.
		changetest.WaitFor(t, "in restore what came of "+step.put, func() bool {
			got, err := command(t, node, "get", "restore.customers", "k1")
			if step.get == "" {
				return err != nil && strings.HasSuffix(err.Error(), "the node has no record restore.customers k1")
			}
			return err == nil && strings.HasSuffix(got, "\n"+step.get)
		})
	}
}

// A namespace whose changes come back is no sink.
func TestFollow_loop(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t)+1)
	err := run(t.Context(), []string{"-node", address, "-sinks", "aerospike://" + address + "/shop?mode=records"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "loop=allow") {
		t.Errorf("%v", err)
	}
}

// With a fence what was published is not published again.
func TestFollow_fence(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t)+1)
	const topic = "pubsub://aerosink-local/changes"
	for _, args := range [][]string{
		{"-fence", "memory"},
		{"-node", address, "-sinks", topic + ",aerospike://" + address + "/restore/fence?mode=fence"},
	} {
		t.Run(args[0], func(t *testing.T) {
			out, node := startLocal(t, append(args, "-play", "-o", "line")...)
			out.Find(t, `   9  `)
			frames, err := pipeline.Captures()
			if err != nil {
				t.Fatal(err)
			}
			source := &xdrtest.Source{Address: out.Find(t, `connector +(\S+)`)}
			if err := source.Play(t.Context(), frames); err != nil {
				t.Fatal(err)
			}
			if _, err := command(t, node, "put", "test.s", "k", "a=1"); err != nil {
				t.Fatal(err)
			}
			out.Find(t, `  10  \S+  write   test\.s  k  generation 1  a=1`)
		})
	}
}
