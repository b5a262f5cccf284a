package devnode_test

import (
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v8"
)

// clientV8 runs commands with the Go client v8. The other version's file is the same.
type clientV8 struct {
	t      testing.TB
	client *as.Client
}

// newClientV8 connects to a node at address.
func newClientV8(t testing.TB, address string) *clientV8 {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	policy := as.NewClientPolicy()
	policy.Timeout = 30 * time.Second // a busy machine
	c, err := as.NewClientWithPolicyAndHost(policy, as.NewHost(host, number))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(c.Close)
	return &clientV8{t, c}
}

func (c *clientV8) name() string { return "v8" }

// run carries out a command.
func (c *clientV8) run(cmd call) outcome {
	if cmd.Do == "batch" {
		return c.batch(cmd)
	}
	switch cmd.Do {
	case "scan":
		policy := as.NewScanPolicy()
		policy.IncludeBinData = !cmd.NoBins
		policy.FilterExpression = c.filter(cmd)
		return c.count(c.client.ScanAll(policy, cmd.Namespace, cmd.Set))
	case "query":
		return c.count(c.client.Query(as.NewQueryPolicy(), as.NewStatement(cmd.Namespace, cmd.Set)))
	case "truncate":
		return outcome{Code: c.code(c.client.Truncate(nil, cmd.Namespace, cmd.Set, nil))}
	}
	key, err := c.key(cmd)
	if err != nil {
		return outcome{Code: c.code(err)}
	}
	read := &c.writePolicy(cmd).BasePolicy
	switch cmd.Do {
	case "put":
		return outcome{Code: c.code(c.client.PutBins(c.writePolicy(cmd), key, c.bins(cmd)...))}
	case "get":
		return c.record(c.client.Get(read, key, cmd.Select...))
	case "header":
		return c.record(c.client.GetHeader(read, key))
	case "exists":
		return c.found(c.client.Exists(read, key))
	case "touch":
		return outcome{Code: c.code(c.client.Touch(c.writePolicy(cmd), key))}
	case "delete":
		return c.found(c.client.Delete(c.writePolicy(cmd), key))
	case "operate":
		return c.record(c.client.Operate(c.writePolicy(cmd), key, c.operations(cmd)...))
	case "udf":
		_, err := c.client.Execute(c.writePolicy(cmd), key, "absent", "absent")
		return outcome{Code: c.code(err)}
	}
	c.t.Fatalf("no command %q", cmd.Do)
	return outcome{}
}

// code returns the result code of an error.
func (c *clientV8) code(err error) int {
	if as, ok := errors.AsType[*as.AerospikeError](err); ok {
		return int(as.ResultCode)
	}
	if err != nil {
		c.t.Errorf("an error without a code: %v", err)
		return noCode
	}
	return 0
}

// found is the outcome of a command that says whether there is a record.
func (c *clientV8) found(found bool, err as.Error) outcome {
	if err == nil && !found {
		return outcome{Code: 2}
	}
	return c.failed(err)
}

// failed is the outcome of an error, or of none.
func (c *clientV8) failed(err as.Error) outcome {
	if err == nil { // not a nil error in an interface
		return outcome{}
	}
	return outcome{Code: c.code(err)}
}

func (c *clientV8) record(r *as.Record, err as.Error) outcome {
	switch {
	case err != nil:
		return c.failed(err)
	case r == nil: // GetHeader of an absent record
		return outcome{Code: 2}
	}
	o := outcome{Gen: r.Generation, TTL: "never", Bins: map[string]string{}}
	if r.Expiration != as.TTLDontExpire {
		o.TTL = strconv.Itoa(int(r.Expiration))
	}
	for name, v := range r.Bins {
		o.Bins[name] = literal(c.value(v))
	}
	return o
}

// value returns a value of the client with the types of the driver's literals.
func (c *clientV8) value(v any) any {
	switch v := v.(type) {
	case as.OpResults:
		return c.value([]any(v))
	case as.GeoJSONValue:
		return geoValue(v)
	case []any:
		for i := range v {
			v[i] = c.value(v[i])
		}
	case map[any]any:
		for k := range v {
			v[k] = c.value(v[k])
		}
	case []as.MapPair: // an ordered map
		pairs := make(map[any]any, len(v))
		for _, p := range v {
			pairs[p.Key] = c.value(p.Value)
		}
		return pairs
	}
	return v
}

// count is the outcome of a scan.
func (c *clientV8) count(records *as.Recordset, err as.Error) outcome {
	if err != nil {
		return c.failed(err)
	}
	n := 0
	for r := range records.Results() {
		if r.Err != nil {
			return c.failed(r.Err)
		}
		n++
	}
	return outcome{Count: &n}
}

// pages scans some partitions, with or without bins, at most size records at a time, each with
// a filter that is made of the cursor of the one before. It returns the digests in their order.
func (c *clientV8) pages(namespace, set string, first, count int, size int64, bins bool) (digests [][]byte) {
	policy := as.NewScanPolicy()
	policy.MaxRecords, policy.IncludeBinData = size, bins
	filter := as.NewPartitionFilterByRange(first, count)
	for done := false; !done; {
		records, err := c.client.ScanPartitions(policy, filter, namespace, set)
		if err != nil {
			c.t.Fatal(err)
		}
		for r := range records.Results() {
			if r.Err != nil {
				c.t.Fatal(r.Err)
			}
			if bins != (len(r.Record.Bins) > 0) {
				c.t.Fatalf("a scan with bins: %t, brought %d", bins, len(r.Record.Bins))
			}
			digests = append(digests, r.Record.Key.Digest())
		}
		done = filter.IsDone()
		cursor, err := filter.EncodeCursor()
		if err != nil {
			c.t.Fatal(err)
		}
		filter = as.NewPartitionFilterByRange(first, count)
		if err := filter.DecodeCursor(cursor); err != nil {
			c.t.Fatal(err)
		}
	}
	return digests
}

func (c *clientV8) key(cmd call) (*as.Key, error) {
	user, err := parseValue(cmd.Key)
	if err != nil {
		c.t.Fatal(err)
	}
	var key *as.Key
	var failure as.Error
	if cmd.DigestOf == "" {
		key, failure = as.NewKey(cmd.Namespace, cmd.Set, user)
	} else {
		other, err := c.key(call{Namespace: cmd.Namespace, Set: cmd.DigestSet, Key: cmd.DigestOf})
		if err != nil {
			return nil, err
		}
		key, failure = as.NewKeyWithDigest(cmd.Namespace, cmd.Set, user, other.Digest())
	}
	if failure != nil {
		return nil, failure
	}
	return key, nil
}

func (c *clientV8) bins(cmd call) (bins []*as.Bin) {
	for _, b := range cmd.Bins {
		bins = append(bins, c.bin(b))
	}
	return bins
}

func (c *clientV8) bin(b bin) *as.Bin {
	v, err := parseValue(b.Value)
	if err != nil {
		c.t.Fatal(err)
	}
	switch typed := v.(type) {
	case geoValue:
		v = as.NewGeoJSONValue(string(typed))
	case rawValue:
		v = as.NewRawBlobValue(typed.kind, typed.bytes)
	}
	return as.NewBin(b.Name, v)
}

func (c *clientV8) operations(cmd call) (ops []*as.Operation) {
	for _, o := range cmd.Ops {
		switch o.Do {
		case "get":
			ops = append(ops, as.GetBinOp(o.Name))
		case "getall":
			ops = append(ops, as.GetOp())
		case "put":
			ops = append(ops, as.PutOp(c.bin(o.bin)))
		case "add":
			ops = append(ops, as.AddOp(c.bin(o.bin)))
		case "append":
			ops = append(ops, as.AppendOp(c.bin(o.bin)))
		case "prepend":
			ops = append(ops, as.PrependOp(c.bin(o.bin)))
		case "touch":
			ops = append(ops, as.TouchOp())
		case "delete":
			ops = append(ops, as.DeleteOp())
		default:
			c.t.Fatalf("no operation %q", o.Do)
		}
	}
	return ops
}

func (c *clientV8) writePolicy(cmd call) *as.WritePolicy {
	p := as.NewWritePolicy(0, c.expiration(cmd))
	p.TotalTimeout, p.SocketTimeout = 30*time.Second, 30*time.Second
	p.RecordExistsAction = c.existsAction(cmd)
	p.GenerationPolicy, p.Generation = c.generation(cmd)
	p.SendKey, p.DurableDelete, p.RespondPerEachOp = cmd.SendKey, cmd.Durable, cmd.RespondEach
	p.FilterExpression = c.filter(cmd)
	return p
}

func (c *clientV8) existsAction(cmd call) as.RecordExistsAction {
	actions := map[string]as.RecordExistsAction{
		"": as.UPDATE, "update-only": as.UPDATE_ONLY, "replace": as.REPLACE, "replace-only": as.REPLACE_ONLY, "create-only": as.CREATE_ONLY,
	}
	a, ok := actions[cmd.Exists]
	if !ok {
		c.t.Fatalf("no action %q", cmd.Exists)
	}
	return a
}

func (c *clientV8) generation(cmd call) (as.GenerationPolicy, uint32) {
	switch {
	case cmd.Generation == nil:
		return as.NONE, 0
	case cmd.Greater:
		return as.EXPECT_GEN_GT, *cmd.Generation
	}
	return as.EXPECT_GEN_EQUAL, *cmd.Generation
}

func (c *clientV8) expiration(cmd call) uint32 {
	switch cmd.TTL {
	case "":
		return as.TTLServerDefault
	case "never":
		return as.TTLDontExpire
	case "keep":
		return as.TTLDontUpdate
	}
	n, err := strconv.ParseUint(cmd.TTL, 10, 32)
	if err != nil {
		c.t.Fatal(err)
	}
	return uint32(n)
}

func (c *clientV8) filter(cmd call) *as.Expression {
	if cmd.Fence != nil {
		return c.fence(cmd.Fence[0], cmd.Fence[1])
	}
	if cmd.Filter == "" {
		return nil
	}
	name, operator, number := filterParts(c.t, cmd.Filter)
	left := as.ExpIntBin(name)
	if name == "lut" {
		left = as.ExpLastUpdate()
	}
	return map[string]func(left, right *as.Expression) *as.Expression{
		"<": as.ExpLess, "<=": as.ExpLessEq, "==": as.ExpEq, "!=": as.ExpNotEq, ">=": as.ExpGreaterEq, ">": as.ExpGreater,
	}[operator](left, as.ExpIntVal(number))
}

// fence returns the filter that is true if the stored state is older: by LUT, then by
// generation, which has 16 bits.
func (c *clientV8) fence(lut, generation int64) *as.Expression {
	ahead := as.ExpIntAnd(as.ExpNumSub(as.ExpIntVal(generation), as.ExpIntBin("gen")), as.ExpIntVal(0xffff))
	stored := as.ExpIntBin("lut")
	return as.ExpOr(
		as.ExpLess(stored, as.ExpIntVal(lut)),
		as.ExpAnd(as.ExpEq(stored, as.ExpIntVal(lut)), as.ExpLess(as.ExpIntVal(0), ahead), as.ExpLess(ahead, as.ExpIntVal(0x8000))),
	)
}

// batch carries out the rows of a batch.
func (c *clientV8) batch(cmd call) outcome {
	var rows []as.BatchRecordIfc
	for _, r := range cmd.Rows {
		key, err := c.key(r)
		if err != nil {
			return outcome{Code: c.code(err)}
		}
		rows = append(rows, c.row(r, key))
	}
	policy := as.NewBatchPolicy()
	policy.TotalTimeout, policy.SocketTimeout, policy.MaxRetries = 30*time.Second, 30*time.Second, 0
	o := c.failed(c.client.BatchOperate(policy, rows))
	for _, r := range rows {
		r := r.BatchRec()
		row := outcome{Code: int(r.ResultCode)}
		if r.ResultCode == 0 && r.Record != nil {
			row = c.record(r.Record, nil)
		}
		o.Rows = append(o.Rows, row)
	}
	return o
}

func (c *clientV8) row(cmd call, key *as.Key) as.BatchRecordIfc {
	read := as.NewBatchReadPolicy()
	read.FilterExpression = c.filter(cmd)
	write := as.NewBatchWritePolicy()
	write.RecordExistsAction, write.Expiration = c.existsAction(cmd), c.expiration(cmd)
	write.GenerationPolicy, write.Generation = c.generation(cmd)
	write.SendKey, write.DurableDelete, write.FilterExpression = cmd.SendKey, cmd.Durable, c.filter(cmd)
	switch cmd.Do {
	case "get":
		return as.NewBatchRead(read, key, cmd.Select)
	case "header":
		return as.NewBatchReadHeader(read, key)
	case "delete":
		remove := as.NewBatchDeletePolicy()
		remove.GenerationPolicy, remove.Generation = c.generation(cmd)
		remove.SendKey, remove.DurableDelete, remove.FilterExpression = cmd.SendKey, cmd.Durable, c.filter(cmd)
		return as.NewBatchDelete(remove, key)
	case "put":
		for _, b := range cmd.Bins {
			cmd.Ops = append(cmd.Ops, callOp{"put", b})
		}
	case "touch":
		cmd.Ops = []callOp{{Do: "touch"}}
	}
	return as.NewBatchWrite(write, key, c.operations(cmd)...)
}
