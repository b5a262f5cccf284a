package devnode_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
)

// clientCall is a command of a script that the Go client carries out. It begins with "client":
//
//	client put rec=a exists=create-only gen=equal:3 ttl=100 filter=5 x=int:5 y=nil
//	client operate rec=a read:x add:x:int:1 touch
//	client get rec=a x y
//	client batch-operate ; put rec=a x=int:5 ; get rec=b ; delete rec=c
//	client scan parts=5-6 meta=true max=1
//
// The verbs put, add, append, prepend, touch, delete, exists, header, get, operate, batch-get,
// batch-exists, batch-delete, batch-operate, scan and query are the client's methods. The filter N
// is that the bin x is at least N. The outcome is the result code, and what the client says of
// the record.
type clientCall struct {
	verb  string
	keys  []*as.Key
	write *as.WritePolicy
	bins  []*as.Bin
	names []string
	ops   []*as.Operation
	first int // of the partitions of a scan
	count int
	meta  bool
	limit int64
}

// client carries out a command with the client of w.
func (w *wire) client(command string) (scriptOutcome, error) {
	if err := w.connect(); err != nil {
		return nil, err
	}
	if verb, rows, ok := strings.Cut(command, " ; "); ok && verb == "batch-operate" {
		return w.clientBatch(rows)
	}
	c, err := w.parseCall(command)
	if err != nil {
		return nil, err
	}
	return w.do(c)
}

// connect connects the client of w, once.
func (w *wire) connect() error {
	if w.cluster != nil {
		return nil
	}
	host, port, err := net.SplitHostPort(w.address)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	cluster, clientErr := as.NewClient(host, n)
	if clientErr != nil {
		return clientErr
	}
	w.cluster = cluster
	return nil
}

func (w *wire) parseCall(command string) (*clientCall, error) {
	tokens := strings.Fields(command)
	c := &clientCall{verb: tokens[0], write: as.NewWritePolicy(0, 0), count: 1}
	c.write.TotalTimeout, c.write.SocketTimeout = 10*time.Second, 10*time.Second
	c.write.Expiration = as.TTLServerDefault
	for _, t := range tokens[1:] {
		if err := w.parseClientToken(c, t); err != nil {
			return nil, fmt.Errorf("client %s: %s: %w", command, t, err)
		}
	}
	return c, nil
}

func (w *wire) parseClientToken(c *clientCall, token string) error {
	name, value, isSetting := strings.Cut(token, "=")
	op, rest, isOp := strings.Cut(name, ":")
	switch {
	case isOp || token == "touch" || token == "delete-all":
		return c.addOp(op, rest)
	case !isSetting:
		c.names = append(c.names, token)
		return nil
	}
	switch name {
	case "rec":
		for r := range strings.SplitSeq(value, ",") {
			d, err := w.digest(r)
			if err != nil {
				return err
			}
			key, keyErr := as.NewKeyWithDigest("test", w.sets["s"], nil, d)
			if keyErr != nil {
				return keyErr
			}
			c.keys = append(c.keys, key)
		}
	case "exists":
		actions := []string{"update", "update-only", "replace", "replace-only", "create-only"}
		c.write.RecordExistsAction = as.RecordExistsAction(slices.Index(actions, value))
	case "gen":
		kind, number, _ := strings.Cut(value, ":")
		n, err := strconv.Atoi(number)
		c.write.Generation, c.write.GenerationPolicy = uint32(n), as.EXPECT_GEN_EQUAL
		if kind == "greater" {
			c.write.GenerationPolicy = as.EXPECT_GEN_GT
		}
		return err
	case "ttl":
		n, err := strconv.ParseInt(value, 10, 64)
		c.write.Expiration = uint32(n)
		return err
	case "filter": // the bin x is at least that
		n, err := strconv.ParseInt(value, 10, 64)
		c.write.FilterExpression = as.ExpGreaterEq(as.ExpIntBin("x"), as.ExpIntVal(n))
		return err
	case "parts":
		_, err := fmt.Sscanf(value, "%d-%d", &c.first, &c.count)
		c.count -= c.first - 1
		return err
	case "max":
		var err error
		c.limit, err = strconv.ParseInt(value, 10, 64)
		return err
	case "meta":
		c.meta = true
	default:
		v, err := clientValue(value)
		c.bins = append(c.bins, as.NewBin(name, v))
		return err
	}
	return nil
}

// clientValue returns a value of a script as the client's users have it.
func clientValue(text string) (any, error) {
	kind, b, err := parseScriptValue(text)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 0:
		return nil, nil
	case 1:
		return int64(binary.BigEndian.Uint64(b)), nil
	case 2:
		return strconv.ParseFloat(strings.TrimPrefix(text, "dbl:"), 64)
	case 3:
		return string(b), nil
	case 4:
		return b, nil
	case 17:
		return b[0] == 1, nil
	}
	return as.NewRawBlobValue(int(kind), b), nil
}

func (c *clientCall) addOp(op, rest string) error {
	bin, text, _ := strings.Cut(rest, ":")
	var v any
	if text != "" {
		var err error
		if v, err = clientValue(text); err != nil {
			return err
		}
	}
	b := as.NewBin(bin, v)
	made := map[string]func() *as.Operation{
		"read":       func() *as.Operation { return as.GetBinOp(bin) },
		"write":      func() *as.Operation { return as.PutOp(b) },
		"add":        func() *as.Operation { return as.AddOp(b) },
		"append":     func() *as.Operation { return as.AppendOp(b) },
		"prepend":    func() *as.Operation { return as.PrependOp(b) },
		"touch":      as.TouchOp,
		"delete-all": as.DeleteOp,
		"read-all":   as.GetOp,
		"header":     as.GetHeaderOp,
	}[op]
	if made == nil {
		return fmt.Errorf("unknown operation %q", op)
	}
	c.ops = append(c.ops, made())
	return nil
}

// do calls the client.
func (w *wire) do(c *clientCall) (scriptOutcome, error) {
	var record *as.Record
	var err as.Error
	found := ""
	read := &c.write.BasePolicy
	key := func() *as.Key { return c.keys[0] }
	switch c.verb {
	case "put":
		err = w.cluster.PutBins(c.write, key(), c.bins...)
	case "add":
		err = w.cluster.AddBins(c.write, key(), c.bins...)
	case "append":
		err = w.cluster.AppendBins(c.write, key(), c.bins...)
	case "prepend":
		err = w.cluster.PrependBins(c.write, key(), c.bins...)
	case "touch":
		err = w.cluster.Touch(c.write, key())
	case "delete":
		var existed bool
		existed, err = w.cluster.Delete(c.write, key())
		found = fmt.Sprintf(" existed=%t", existed)
	case "exists":
		var exists bool
		exists, err = w.cluster.Exists(read, key())
		found = fmt.Sprintf(" exists=%t", exists)
	case "header":
		record, err = w.cluster.GetHeader(read, key())
	case "get":
		record, err = w.cluster.Get(read, key(), c.names...)
	case "operate":
		record, err = w.cluster.Operate(c.write, key(), c.ops...)
	case "batch-get", "batch-exists", "batch-delete":
		return w.clientBatchRead(c)
	case "scan", "query":
		return w.clientScan(c)
	default:
		return nil, fmt.Errorf("unknown method %q of the client", c.verb)
	}
	return scriptOutcome{clientLine(record, err) + found}, nil
}

func (w *wire) clientBatchRead(c *clientCall) (scriptOutcome, error) {
	policy := as.NewBatchPolicy()
	policy.FilterExpression = c.write.FilterExpression
	var o scriptOutcome
	switch c.verb {
	case "batch-exists":
		exist, err := w.cluster.BatchExists(policy, c.keys)
		return scriptOutcome{clientLine(nil, err) + fmt.Sprintf(" exist=%v", exist)}, nil
	case "batch-delete":
		rows, err := w.cluster.BatchDelete(policy, as.NewBatchDeletePolicy(), c.keys)
		for _, r := range rows {
			o = append(o, fmt.Sprintf("%d in-doubt=%t", r.ResultCode, r.InDoubt))
		}
		return append(o, clientLine(nil, err)), nil
	}
	records, err := w.cluster.BatchGet(policy, c.keys, c.names...)
	for _, r := range records {
		if r == nil {
			o = append(o, "none")
			continue
		}
		o = append(o, clientLine(r, nil))
	}
	return append(o, clientLine(nil, err)), nil
}

// clientBatch carries out a batch of rows, which are commands.
func (w *wire) clientBatch(rows string) (scriptOutcome, error) {
	var batch []as.BatchRecordIfc
	for text := range strings.SplitSeq(rows, " ; ") {
		c, err := w.parseCall(text)
		if err != nil {
			return nil, err
		}
		switch c.verb {
		case "put", "operate":
			policy := as.NewBatchWritePolicy()
			policy.RecordExistsAction, policy.Generation, policy.GenerationPolicy = c.write.RecordExistsAction, c.write.Generation, c.write.GenerationPolicy
			policy.Expiration, policy.FilterExpression = c.write.Expiration, c.write.FilterExpression
			for _, b := range c.bins {
				c.ops = append(c.ops, as.PutOp(b))
			}
			batch = append(batch, as.NewBatchWrite(policy, c.keys[0], c.ops...))
		case "delete":
			policy := as.NewBatchDeletePolicy()
			policy.Generation, policy.GenerationPolicy, policy.FilterExpression = c.write.Generation, c.write.GenerationPolicy, c.write.FilterExpression
			batch = append(batch, as.NewBatchDelete(policy, c.keys[0]))
		default:
			policy := as.NewBatchReadPolicy()
			policy.FilterExpression = c.write.FilterExpression
			batch = append(batch, as.NewBatchRead(policy, c.keys[0], c.names))
		}
	}
	err := w.cluster.BatchOperate(nil, batch)
	var o scriptOutcome
	for _, row := range batch {
		r := row.BatchRec()
		line := strconv.Itoa(int(r.ResultCode))
		if r.Record != nil {
			line = strings.Replace(clientLine(r.Record, nil), "0", line, 1)
		}
		o = append(o, line)
	}
	return append(o, clientLine(nil, err)), nil
}

func (w *wire) clientScan(c *clientCall) (scriptOutcome, error) {
	partitions := as.NewPartitionFilterByRange(c.first, c.count)
	var set *as.Recordset
	var err as.Error
	if c.verb == "scan" {
		policy := as.NewScanPolicy()
		policy.FilterExpression, policy.IncludeBinData, policy.MaxRecords = c.write.FilterExpression, !c.meta, c.limit
		set, err = w.cluster.ScanPartitions(policy, partitions, "test", w.sets["s"], c.names...)
	} else {
		policy := as.NewQueryPolicy()
		policy.FilterExpression, policy.IncludeBinData, policy.MaxRecords = c.write.FilterExpression, !c.meta, c.limit
		set, err = w.cluster.QueryPartitions(policy, as.NewStatement("test", w.sets["s"], c.names...), partitions)
	}
	if err != nil {
		return scriptOutcome{clientLine(nil, err)}, nil
	}
	var o scriptOutcome
	for result := range set.Results() {
		if result.Err != nil {
			o = append(o, clientLine(nil, result.Err))
			continue
		}
		name, _ := w.record(result.Record.Key.Digest())
		o = append(o, clientLine(result.Record, nil)+" rec="+name)
	}
	slices.Sort(o) // partitions come in any order
	return append(o, "end"), nil
}

// clientLine describes a record or an error.
func clientLine(r *as.Record, err as.Error) string {
	if err != nil {
		var e *as.AerospikeError
		if !errors.As(err, &e) {
			return "error " + err.Error()
		}
		return fmt.Sprintf("%d in-doubt=%t", e.ResultCode, e.InDoubt)
	}
	if r == nil {
		return "0"
	}
	line := fmt.Sprintf("0 gen=%d", r.Generation)
	if r.Expiration != as.TTLDontExpire && r.Expiration != 0 {
		line += fmt.Sprintf(" ttl=%d", r.Expiration)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Bins)) {
		line += fmt.Sprintf(" %s=%s", name, strings.ReplaceAll(formatClient(r.Bins[name]), " ", "_"))
	}
	return line
}

func formatClient(v any) string {
	switch v := v.(type) {
	case []byte:
		return "blob:" + hex.EncodeToString(v)
	case as.HLLValue:
		return "hll:" + hex.EncodeToString(v)
	}
	return fmt.Sprintf("%T:%v", v, v)
}
