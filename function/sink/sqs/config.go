package sqs

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// queueConfig is what the URL of a queue and the options say.
type queueConfig struct {
	payload.Config
	url         string
	region      string
	account     string
	name        string // ends in .fifo
	endpoint    string // "" is that of the region
	groups      []string
	dedup       bool
	maxMessages int // queued or in flight
	maxBytes    int
	pause       time.Duration
	timeout     time.Duration
}

const fifo = ".fifo" // the end of a FIFO queue's name

var (
	region    = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)
	account   = regexp.MustCompile(`^[0-9]{12}$`)
	queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,75}\.fifo$`)
)

// Numbers of groups that the URL does not say. A packed message has the changes of one group,
// so many groups would make many small messages.
const (
	manyGroups = 256
	fewGroups  = 16
)

// Parse parses the URL of a queue, sqs://REGION/ACCOUNT/NAME.fifo?ordering=256. The package
// comment lists its parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	c := queueConfig{url: u.String(), region: u.Host, timeout: o.Timeout}
	c.account, c.name, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case !region.MatchString(c.region) || !account.MatchString(c.account) || c.name == "":
		return sink.Spec{}, errors.New("want sqs://REGION/ACCOUNT/NAME.fifo, such as sqs://eu-west-1/123456789012/changes.fifo")
	case !strings.HasSuffix(c.name, fifo):
		return sink.Spec{}, errors.New("a standard queue keeps no order and delivers messages twice; want a FIFO queue, whose name ends in .fifo")
	case !queueName.MatchString(c.name):
		return sink.Spec{}, errors.New("the name of a FIFO queue has up to 80 letters, digits, hyphens and underscores, and ends in .fifo")
	}
	c.Config = payload.Parse(q, o, payload.AsReceived)
	c.parseGroups(q, u.Query().Has("ordering"))
	c.dedup = q.Word("dedup", "on", "on", "off") == "on"
	c.pause = q.Duration("pause", 2*time.Second, 0, time.Minute)
	c.maxMessages = q.Integer("max-messages", 100_000, 1, 10_000_000)
	c.maxBytes = int(q.Size("max-bytes", 128<<20, callBytes, 1<<40))
	if c.endpoint = q.Text("endpoint", ""); c.endpoint != "" {
		e, err := url.Parse(c.endpoint)
		if err != nil || e.Scheme != "https" && e.Scheme != "http" || e.Host == "" || e.User != nil || strings.Trim(e.Path, "/") != "" || e.RawQuery != "" || e.Fragment != "" {
			q.Fail("invalid endpoint=%s: want https://HOST", c.endpoint)
		}
	}
	spec := sink.Spec{
		Bins:  c.Bins(),
		New:   func(ctx context.Context) (sink.Sink, error) { return c.open(ctx, o.Metrics) },
		Probe: c.probe,
	}
	return spec, q.End()
}

// parseGroups parses the parameters that say in which group a message goes.
func (c *queueConfig) parseGroups(q *sink.Query, hasOrdering bool) {
	most := manyGroups
	if c.Packed != "" {
		most = fewGroups
	}
	n := q.Integer("ordering", most, 1, change.Partitions)
	if q.Word("group", "shard", "shard", "queue") == "queue" {
		if hasOrdering {
			q.Fail("ordering=%d is for group=shard; with group=queue all messages are in one group", n)
		}
		c.groups = []string{strings.TrimSuffix(c.name, fifo)}
		return
	}
	c.groups = groupNames(n)
}

// open makes a client and registers the metrics with r, unless it is nil.
func (c queueConfig) open(ctx context.Context, r prometheus.Registerer) (sink.Sink, error) {
	cl, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	cl.readLimit(ctx)
	q := newQueue(c, cl)
	if q.registration, err = sink.Register(r, q.metrics.Collectors()...); err != nil {
		return nil, err
	}
	return q, nil
}
