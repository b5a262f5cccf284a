package main

import (
	"context"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/pipeline"
)

// mostTTL is the longest time to live; the server answers 4 to a longer one.
const mostTTL = 3650 * 24 * time.Hour

// recordOptions are the flags of put, get and delete.
type recordOptions struct {
	node    string
	form    string
	integer bool
	bytes   bool
	ttl     time.Duration
	durable bool
	timeout time.Duration
}

func (o *recordOptions) flags(f *flag.FlagSet) {
	f.StringVar(&o.node, "node", pipeline.DefaultNode, "`HOST:PORT` of the node")
	f.StringVar(&o.form, "o", "text", "the output as `FORM`: text or json")
	f.BoolVar(&o.integer, "int", false, "KEY is an integer")
	f.BoolVar(&o.bytes, "bytes", false, "KEY is bytes, in hexadecimal")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long the node may take, as a `DURATION`")
}

func (o *recordOptions) putFlags(f *flag.FlagSet) {
	o.flags(f)
	f.DurationVar(&o.ttl, "ttl", 0, "delete the record after `DURATION`, in whole seconds; 0 is never")
}

func (o *recordOptions) deleteFlags(f *flag.FlagSet) {
	o.flags(f)
	f.BoolVar(&o.durable, "durable", false, "leave a tombstone")
}

// record is a record at a node, as a command line names it.
type record struct {
	*recordOptions
	name   string // NS.SET KEY, for messages
	key    *as.Key
	client *as.Client
}

// run connects to the node, calls do, and prints what it returns.
func (o *recordOptions) run(ctx context.Context, streams cli.Streams, args []string, do func(r *record) (*result, error)) error {
	r, err := o.open(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	defer r.client.Close()
	result, err := do(r)
	if err != nil {
		return r.explain(err)
	}
	return result.write(streams.Stdout, o.form)
}

// open checks the flags and the arguments, and connects to the node.
func (o *recordOptions) open(ctx context.Context, path, key string) (*record, error) {
	if o.form != "text" && o.form != "json" {
		return nil, cli.Usagef("-o: unknown form %q: want text or json", o.form)
	}
	if o.ttl < 0 || o.ttl > mostTTL || o.ttl%time.Second != 0 {
		return nil, cli.Usagef("-ttl: %s is not a number of whole seconds from 0 to %d", o.ttl, int64(mostTTL/time.Second))
	}
	namespace, set, _ := strings.Cut(path, ".")
	if namespace == "" {
		return nil, cli.Usagef("%q is not NAMESPACE.SET, or NAMESPACE for a record in no set", path)
	}
	userKey, err := o.parseKey(key)
	if err != nil {
		return nil, err
	}
	r := &record{recordOptions: o, name: path + " " + key}
	if r.key, err = newKey(namespace, set, userKey); err != nil {
		return nil, err
	}
	r.client, err = o.connect(ctx)
	return r, err
}

// newKey returns the client's key. It drops the type of the client's error, of which a nil
// one would not be a nil error.
func newKey(namespace, set string, userKey any) (*as.Key, error) {
	key, err := as.NewKey(namespace, set, userKey)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// parseKey returns the key as -int and -bytes say.
func (o *recordOptions) parseKey(key string) (any, error) {
	switch {
	case o.integer && o.bytes:
		return nil, cli.Usagef("-int and -bytes exclude each other")
	case o.integer:
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return nil, cli.Usagef("-int: KEY %q is not a 64-bit integer", key)
		}
		return n, nil
	case o.bytes:
		b, err := hex.DecodeString(key)
		if err != nil {
			return nil, cli.Usagef("-bytes: KEY %q is not hexadecimal: %w", key, err)
		}
		return b, nil
	}
	return key, nil
}

// connect connects to the node.
func (o *recordOptions) connect(ctx context.Context) (*as.Client, error) {
	host, portText, err := net.SplitHostPort(o.node)
	if err != nil {
		return nil, cli.Usagef("-node: %q is not HOST:PORT", o.node)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, cli.Usagef("-node: %q is not HOST:PORT", o.node)
	}
	// The client hides why it could not connect, so that is found out first.
	probe, err := (&net.Dialer{Timeout: o.timeout}).DialContext(ctx, "tcp", o.node)
	if err != nil {
		return nil, fmt.Errorf("no node answers at %s; start one with \"go run ./function/cmd/local\", or name another with -node: %w", o.node, err)
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	policy := as.NewClientPolicy()
	policy.Timeout = o.timeout
	client, connectErr := as.NewClientWithPolicy(policy, host, int(port))
	if connectErr != nil {
		return nil, fmt.Errorf("something listens at %s, but does not answer as an Aerospike node; name the node with -node: %w", o.node, connectErr)
	}
	return client, nil
}

// parseBins returns the operations that write bins, each an argument NAME=VALUE.
func parseBins(args []string) (operations []*as.Operation, err error) {
	for _, arg := range args {
		bin, err := parseBin(arg)
		if err != nil {
			return nil, err
		}
		operations = append(operations, as.PutOp(bin))
	}
	return operations, nil
}

// put writes bins of the record. Other bins stay.
func (r *record) put(operations []*as.Operation) (*result, error) {
	written, err := r.client.Operate(r.writePolicy(), r.key, operations...)
	if err != nil {
		return nil, err
	}
	return &result{record: r, verb: "written", generation: written.Generation, ttl: written.Expiration}, nil
}

// writePolicy returns the policy of put and delete. The key is stored with the record.
func (r *record) writePolicy() *as.WritePolicy {
	policy := as.NewWritePolicy(0, uint32(r.ttl/time.Second))
	policy.SendKey = true
	policy.TotalTimeout = r.timeout
	policy.DurableDelete = r.durable
	return policy
}

// get reads the record.
func (r *record) get() (*result, error) {
	policy := as.NewPolicy()
	policy.TotalTimeout = r.timeout
	found, err := r.client.Get(policy, r.key)
	if err != nil {
		return nil, err
	}
	result := &result{record: r, generation: found.Generation, ttl: found.Expiration, bins: map[string]stdjson.RawMessage{}}
	for name, value := range found.Bins {
		text, err := jsonText(value)
		if err != nil {
			return nil, fmt.Errorf("bin %q has no form in JSON: %w", name, err)
		}
		result.bins[name] = text
	}
	return result, nil
}

// delete deletes the record.
func (r *record) delete() (*result, error) {
	existed, err := r.client.Delete(r.writePolicy(), r.key)
	if err != nil {
		return nil, err
	}
	if !existed {
		return nil, r.absent()
	}
	return &result{record: r, verb: "deleted"}, nil
}

func (r *record) absent() error {
	return fmt.Errorf("the node has no record %s", r.name)
}

// explanations say what a result code means for someone at a terminal.
var explanations = map[types.ResultCode]string{
	types.INVALID_NAMESPACE: "the node has no namespace of that name; start local with -namespaces",
	types.BIN_NAME_TOO_LONG: "a name of a bin is too long",
	types.RECORD_TOO_BIG:    "the record is larger than 1 MiB",
	types.FAIL_FORBIDDEN:    "the namespace takes no TTL; leave out -ttl",
	types.PARAMETER_ERROR:   "the node does not take a name or a value",
}

// explain returns err in plain words, with what the client says behind them.
func (r *record) explain(err error) error {
	var failure as.Error
	if !errors.As(err, &failure) {
		return err
	}
	if failure.Matches(types.KEY_NOT_FOUND_ERROR) {
		return r.absent()
	}
	for code, text := range explanations {
		if failure.Matches(code) {
			return fmt.Errorf("record %s: %s (result code %d)", r.name, text, code)
		}
	}
	if failure.IsInDoubt() {
		return fmt.Errorf("record %s at %s: no answer, so the write may have been carried out; look with \"local get\": %w", r.name, r.node, err)
	}
	return fmt.Errorf("record %s at %s: %w", r.name, r.node, err)
}
