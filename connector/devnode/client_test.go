package devnode_test

import (
	"errors"
	"testing"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
)

// listen starts a node that ends with the test.
func listen(t testing.TB, c devnode.Config) *devnode.Node {
	t.Helper()
	return devnodetest.Start(t, c)
}

// connect returns a client of n.
func connect(t testing.TB, n *devnode.Node) *as.Client {
	t.Helper()
	return devnodetest.Connect(t, n.Addr())
}

func key(t testing.TB, k any) *as.Key {
	t.Helper()
	key, err := as.NewKey("test", "people", k)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// codeOf returns the result code of an error of the client, 0 of none.
func codeOf(t testing.TB, err as.Error) types.ResultCode {
	t.Helper()
	var failed *as.AerospikeError
	if err == nil {
		return types.OK
	}
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return failed.ResultCode
}

// The first commands of a user work.
func TestNode_client(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	k := key(t, "joe")
	policy := as.NewWritePolicy(0, 100)
	policy.SendKey = true
	bins := as.BinMap{"name": "Joe", "age": 27, "list": []any{1, "two", nil}, "map": map[any]any{"a": 1}, "height": 1.5, "blob": []byte{1, 2}, "ok": true}
	if err := client.Put(policy, k, bins); err != nil {
		t.Fatal(err)
	}
	record, err := client.Get(nil, k)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bins, record.Bins); diff != "" || record.Generation != 1 || record.Expiration < 98 || record.Expiration > 100 {
		t.Errorf("generation %d, expiration %d (-put +got):\n%s", record.Generation, record.Expiration, diff)
	}
	if record, err = client.Get(nil, k, "age", "absent"); err != nil || len(record.Bins) != 1 {
		t.Errorf("%v, %v", record, err)
	}
	if exists, err := client.Exists(nil, k); !exists || err != nil {
		t.Errorf("exists: %t, %v", exists, err)
	}
	if err := client.Touch(as.NewWritePolicy(0, as.TTLDontExpire), k); err != nil {
		t.Error(err)
	}
	if record, err = client.GetHeader(nil, k); err != nil || record.Generation != 2 || record.Expiration != as.TTLDontExpire {
		t.Errorf("%v, %v", record, err)
	}
	if err := client.AddBins(nil, k, as.NewBin("age", 3)); err != nil {
		t.Error(err)
	}
	if err := client.AppendBins(nil, k, as.NewBin("name", " S.")); err != nil {
		t.Error(err)
	}
	if record, err = client.Operate(nil, k, as.GetBinOp("age"), as.PutOp(as.NewBin("age", 1)), as.GetBinOp("age")); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(as.BinMap{"age": []any{30, 1}}, record.Bins); diff != "" {
		t.Error(diff)
	}
	policy.DurableDelete = true
	if existed, err := client.Delete(policy, k); !existed || err != nil {
		t.Errorf("delete: %t, %v", existed, err)
	}
	if existed, err := client.Delete(policy, k); existed || err != nil {
		t.Errorf("delete again: %t, %v", existed, err)
	}
	if _, err := client.Get(nil, k); codeOf(t, err) != types.KEY_NOT_FOUND_ERROR {
		t.Error(err)
	}
}

// Batches of rows that read, write and delete, with filters.
func TestNode_batch(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	older := as.ExpLess(as.ExpIntBin("v"), as.ExpIntVal(5))
	var rows []as.BatchRecordIfc
	for i := range 10 {
		policy := as.NewBatchWritePolicy()
		policy.FilterExpression, policy.SendKey = older, true
		rows = append(rows, as.NewBatchWrite(policy, key(t, i), as.PutOp(as.NewBin("v", i))))
	}
	for range 2 {
		if err := client.BatchOperate(nil, rows); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range rows {
		want := types.OK
		if i >= 5 {
			want = types.FILTERED_OUT
		}
		if got := row.BatchRec().ResultCode; got != want {
			t.Errorf("row %d: %s, want %s", i, types.ResultCodeToString(got), types.ResultCodeToString(want))
		}
	}
	keys := []*as.Key{key(t, 3), key(t, 77), key(t, 9)}
	records, err := client.BatchGet(nil, keys)
	if err != nil || len(records) != 3 || records[0].Generation != 2 || records[1] != nil || records[2].Bins["v"] != 9 {
		t.Errorf("%v, %v", records, err)
	}
	if exists, err := client.BatchExists(nil, keys); err != nil || !cmp.Equal(exists, []bool{true, false, true}) {
		t.Errorf("%v, %v", exists, err)
	}
	lut := as.NewBatchReadOps(nil, keys[0], as.ExpReadOp("lut", as.ExpLastUpdate(), as.ExpReadFlagDefault))
	if err := client.BatchOperate(nil, []as.BatchRecordIfc{lut}); err != nil || lut.Record.Bins["lut"].(int) < 1e18 {
		t.Errorf("%v, %v", lut.Record, err)
	}
	if deleted, err := client.BatchDelete(nil, nil, keys); err != nil || deleted[0].ResultCode != types.OK || deleted[1].ResultCode != types.KEY_NOT_FOUND_ERROR {
		t.Errorf("%v, %v", deleted, err)
	}
}

// A scan brings every record once, by partition in descending order of the digests.
func TestNode_scan(t *testing.T) {
	client := connect(t, listen(t, devnode.Config{}))
	for i := range 1000 {
		if err := client.Put(nil, key(t, i), as.BinMap{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	policy := as.NewScanPolicy()
	policy.IncludeBinData = false
	records, err := client.ScanPartitions(policy, as.NewPartitionFilterByRange(0, 4096), "test", "people")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := map[int]string{}
	for r := range records.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		digest := string(r.Record.Key.Digest())
		if p := r.Record.Key.PartitionId(); last[p] != "" && last[p] <= digest {
			t.Errorf("partition %d: %x after %x", p, digest, last[p])
		} else {
			last[p] = digest
		}
		seen[digest] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d records of 1000", len(seen))
	}
}
