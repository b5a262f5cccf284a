package aerospike

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
)

// Client is a connected client of a cluster.
type Client struct {
	*as.Client
	cluster *Cluster
}

// Dial connects to the cluster. It returns when its nodes are known, and gives up when ctx
// ends or after the timeout. The caller closes the client. Certificates and the password are
// read now; new ones are used by the next Dial.
func (c *Cluster) Dial(ctx context.Context) (*Client, error) {
	client, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to Aerospike at %s: %w", c.Address(), err)
	}
	return &Client{client, c}, nil
}

func (c *Cluster) dial(ctx context.Context) (*as.Client, error) {
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	if policy.Timeout, err = c.timeLeft(ctx); err != nil {
		return nil, err
	}
	policy.LoginTimeout = policy.Timeout
	type result struct {
		client *as.Client
		err    error
	}
	dialled := make(chan result, 1)
	go func() { // ends after policy.Timeout
		client, err := as.NewClientWithPolicyAndHost(policy, c.Hosts...)
		dialled <- result{client, Error(err)}
	}()
	select {
	case r := <-dialled:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			if r := <-dialled; r.err == nil {
				r.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// timeLeft returns how long a command may take: until ctx ends, and at most the timeout.
func (c *Cluster) timeLeft(ctx context.Context) (time.Duration, error) {
	left := c.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if left <= 0 {
		return 0, context.DeadlineExceeded
	}
	return left, nil
}

// CheckNamespace returns an error if a node does not have the namespace.
func (c *Client) CheckNamespace(ctx context.Context, namespace string) error {
	for _, node := range c.GetNodes() {
		answer, err := c.Info(ctx, node, "namespaces")
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Split(answer, ";"), namespace) {
			return fmt.Errorf("the node %s has no namespace %s, only %s; check the URL", node.GetHost(), namespace, strings.ReplaceAll(answer, ";", ", "))
		}
	}
	return nil
}

// Info returns a node's answer to an info command, which may be an error of the server: see
// [IsInfoError].
func (c *Client) Info(ctx context.Context, node *as.Node, command string) (string, error) {
	left, err := c.cluster.timeLeft(ctx)
	if err != nil {
		return "", err
	}
	answers, asErr := node.RequestInfo(&as.InfoPolicy{Timeout: left}, command)
	if asErr != nil {
		return "", fmt.Errorf("ask %s for %s: %w", node.GetHost(), command, Error(asErr))
	}
	return answers[command], nil
}

// IsInfoError reports whether the answer to an info command is an error.
func IsInfoError(answer string) bool {
	answer = strings.ToLower(answer)
	return strings.HasPrefix(answer, "error") || strings.HasPrefix(answer, "fail")
}

// Batch carries out commands in one request to each node, and returns the error of each; nil
// means that all succeeded. It does not retry, since what may have been carried out has to
// be looked at first. A batch should have one command at most for a record, as a server may
// carry them out in any order, and 500 commands at most. Batch ends with ctx, or after the
// timeout.
func (c *Client) Batch(ctx context.Context, commands []as.BatchRecordIfc) []error {
	if len(commands) == 0 {
		return nil
	}
	p, err := c.batchPolicy(ctx)
	if err != nil {
		return all(len(commands), err)
	}
	batchErr := Error(c.BatchOperate(p, commands))
	var errs []error
	for i, command := range commands {
		row := command.BatchRec()
		if row.ResultCode == types.NO_RESPONSE && change.IsPermanent(batchErr) && len(commands) > 1 {
			// A server may end a batch because of one command.
			if errAlone := c.Batch(ctx, commands[i:i+1]); errAlone != nil {
				errs = withError(errs, len(commands), i, errAlone[0])
			}
			continue
		}
		if row.ResultCode != types.OK {
			errs = withError(errs, len(commands), i, rowError(row, batchErr))
		}
	}
	return errs
}

// withError sets error i of n, which are nil if there were none yet.
func withError(errs []error, n, i int, err error) []error {
	if errs == nil {
		errs = make([]error, n)
	}
	errs[i] = err
	return errs
}

// Read reads records in one request to each node: what ops read, or all bins without any. It
// returns a record for each key, nil if it is absent, and the error of each; nil means that
// all succeeded. Absent records, of which there may be many, cost no errors in this form.
func (c *Client) Read(ctx context.Context, keys []*as.Key, ops ...*as.Operation) ([]*as.Record, []error) {
	if len(keys) == 0 {
		return nil, nil
	}
	p, err := c.batchPolicy(ctx)
	if err != nil {
		return nil, all(len(keys), err)
	}
	p.AllowPartialResults = false
	read := c.BatchGetOperate
	if len(ops) == 0 {
		read = func(p *as.BatchPolicy, keys []*as.Key, _ ...*as.Operation) ([]*as.Record, as.Error) {
			return c.BatchGet(p, keys)
		}
	}
	if records, err := read(p, keys, ops...); err == nil {
		return records, nil
	}
	return c.readEach(ctx, keys, ops)
}

// readEach is Read in the form that has an error for each record.
func (c *Client) readEach(ctx context.Context, keys []*as.Key, ops []*as.Operation) ([]*as.Record, []error) {
	commands := make([]as.BatchRecordIfc, len(keys))
	for n, key := range keys {
		read := as.NewBatchRead(nil, key, nil)
		if len(ops) > 0 {
			read = as.NewBatchReadOps(nil, key, ops...)
		}
		commands[n] = read
	}
	errs := c.Batch(ctx, commands)
	records := make([]*as.Record, len(keys))
	for n, command := range commands {
		switch err := errAt(errs, n); code(err) {
		case types.OK:
			records[n] = command.BatchRec().Record
		case types.KEY_NOT_FOUND_ERROR:
			errs[n] = nil
		}
	}
	return records, errs
}

// batchPolicy returns the policy of a batch that ends with ctx.
func (c *Client) batchPolicy(ctx context.Context) (*as.BatchPolicy, error) {
	left, err := c.cluster.timeLeft(ctx)
	if err != nil {
		return nil, err
	}
	p := as.NewBatchPolicy()
	p.TotalTimeout = left
	p.SocketTimeout = max(c.cluster.Timeout/attempts, time.Millisecond)
	p.MaxRetries = 0
	p.ConcurrentNodes = 0 // all at once
	p.AllowPartialResults = true
	return p, nil
}

// attempts is how many attempts without an answer fit into the timeout.
const attempts = 3

// errAt returns the error of a command, of the result of Batch.
func errAt(errs []error, i int) error {
	if errs == nil {
		return nil
	}
	return errs[i]
}

func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// rowError returns the error of a command of a batch, whose own error is batchErr. If there
// is no answer to a command, it may have been carried out: the client says so only of the
// batch, and the batch's error need not be that of the command.
func rowError(row *as.BatchRecord, batchErr error) error {
	if row.ResultCode != types.NO_RESPONSE && row.Err != nil {
		return Error(row.Err)
	}
	e := &resultError{code: row.ResultCode, inDoubt: true}
	if of := (*resultError)(nil); errors.As(batchErr, &of) {
		*e = *of
	}
	return e
}
