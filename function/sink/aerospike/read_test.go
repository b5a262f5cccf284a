package aerospike_test

import (
	"net/url"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// A read that fails at first and succeeds when it is repeated in the other form has the records.
func TestClient_readRepeated(t *testing.T) {
	var node faults
	n := listen(t, node.fault)
	u, err := url.Parse("aerospike://" + n.Addr() + "/test/s")
	if err != nil {
		t.Fatal(err)
	}
	q := sink.NewQuery(u)
	cluster := aerospike.ParseCluster(u, q, 9*time.Second)
	c, err := cluster.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var keys []*as.Key
	for _, name := range []string{"there", "absent", "there too"} {
		key, err := as.NewKey("test", "s", name)
		if err != nil {
			t.Fatal(err)
		}
		if keys = append(keys, key); name == "absent" {
			continue
		}
		if err := c.Put(nil, key, as.BinMap{"i": 1}); err != nil {
			t.Fatal(err)
		}
	}
	for times, fault := range []devnode.Fault{{}, {DropBefore: true}, {DropAfter: true}, {Rows: map[int]devnode.Code{1: 14}}} {
		for first, there := range [][]bool{{true, false, true}, {false, true}, {true}} {
			node.fail(min(times, 1), fault)
			records, errs := c.Read(t.Context(), keys[first:], as.GetBinOp("i"))
			for i, there := range there {
				if errs != nil && errs[i] != nil {
					t.Errorf("%+v: record %d: %v", fault, i, errs[i])
				} else if (records[i] != nil) != there {
					t.Errorf("%+v: record %d of %d: %v", fault, i, len(records), records[i])
				}
			}
		}
	}
}
