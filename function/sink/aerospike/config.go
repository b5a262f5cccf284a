package aerospike

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/function/sink"
)

// Parse parses the URL of a sink, aerospike://HOST:PORT/NAMESPACE/SET?mode=raw. The package
// comment lists its parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	c := config{url: u.String(), cluster: ParseCluster(u, q, o.Timeout), metrics: o.Metrics}
	var spec sink.Spec
	switch mode := q.Text("mode", ""); mode { // each mode reads its own parameters
	case "raw":
		spec = parseRaw(c, q)
	case "records":
		spec = parseRecords(c, q)
	case "fence":
		spec = parseFence(c, q)
	default:
		q.Fail("invalid mode=%s: want mode=raw, which stores the notifications, mode=records, which applies the changes, or mode=fence, which remembers what was published", mode)
	}
	return spec, q.End()
}

// config is what the URL of a sink in any mode says.
type config struct {
	url     string
	cluster Cluster
	from    string // the source's namespace
	selects bool   // from was set, so that changes of other namespaces are skipped
	loop    bool   // a loop is allowed
	rate    int    // changes a second; 0 is unlimited
	ttl     ttl
	metrics prometheus.Registerer
}

// mostRate is the largest rate that can be asked for.
const mostRate = 10_000_000

// parse reads the parameters that raw and records have in common.
func (c *config) parse(q *sink.Query, absentTTL string) {
	c.from = q.Text("from", "")
	if c.selects = c.from != ""; !c.selects {
		c.from = c.cluster.Namespace
	}
	c.loop = q.Word("loop", "refuse", "refuse", "allow") == "allow"
	c.rate = q.Integer("rate", 0, 0, mostRate)
	c.ttl = parseTTL(q, "ttl", absentTTL)
}

// open connects, refuses a target that the sink must not write to, and registers the
// metrics.
func (c *config) open(ctx context.Context) (*Client, *metrics, error) {
	client, err := c.cluster.Dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, metricsErr := newMetrics(c.url, c.metrics)
	if err := errors.Join(c.check(ctx, client), metricsErr); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, m, nil
}

// probe checks what open checks. It stores nothing.
func (c *config) probe(ctx context.Context) error {
	client, err := c.cluster.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return c.check(ctx, client)
}

// limiter returns a limiter to the rate, nil if there is none.
func (c *config) limiter() *rate.Limiter {
	if c.rate == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(c.rate), min(c.rate, 4*batchChanges))
}

// check checks that the cluster has the namespace, takes batches, and does not ship what is
// written.
func (c *config) check(ctx context.Context, client *Client) error {
	for _, node := range client.GetNodes() {
		if !node.SupportsBatchAny() {
			return errors.New("the node " + node.GetHost().String() + " is older than Aerospike 6.0, which this sink needs")
		}
	}
	if err := client.CheckNamespace(ctx, c.cluster.Namespace); err != nil {
		return err
	}
	if c.loop {
		return nil
	}
	return client.checkLoop(ctx, c.cluster.Namespace)
}

// putContext returns the context of a Put.
func (c *config) putContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.cluster.Timeout)
}

// pause waits between two attempts at the same records, longer each time. It returns an error
// once ctx has ended.
func pause(ctx context.Context, attempt int) error {
	const first, longest = time.Millisecond, 100 * time.Millisecond
	timer := time.NewTimer(min(first<<min(attempt, 10), longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
