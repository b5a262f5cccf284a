package kinesis

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
	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// Limits of PutRecords, from its comment in the SDK.
const (
	maxCallRecords = 500
	maxCallBytes   = 10 << 20 // of the records and their partition keys
	maxRecordBytes = 10 << 20 // of a record and its partition key, if the stream allows it
	minRecordLimit = 1 << 20  // what every stream allows, and the default
)

// maxCalls is how many calls may be in flight.
const maxCalls = 32

// streamConfig is what the URL of a stream and the options say.
type streamConfig struct {
	url                     string
	region, account, stream string
	endpoint                string // "" is AWS's choice
	keys                    int    // different partition keys; 0 has each record's digest as its key
	envelope                bool
	payload                 payload.Config
	maxMessages             int // queued or in flight
	maxBytes                int
	pause                   time.Duration
	timeout                 time.Duration
}

var (
	region  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)
	account = regexp.MustCompile(`^[0-9]{12}$`)
	name    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
)

// Parse parses the URL of a stream, kinesis://REGION/ACCOUNT/STREAM?ordering=256. The package
// comment lists its parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	c := streamConfig{url: u.String(), region: u.Host, timeout: o.Timeout}
	c.account, c.stream, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !region.MatchString(c.region) || !account.MatchString(c.account) || !name.MatchString(c.stream) {
		return sink.Spec{}, errors.New("want kinesis://REGION/ACCOUNT/STREAM with a region such as eu-west-1, the 12 digits of an account, and the name of a stream")
	}
	c.payload = payload.Parse(q, o, "json")
	c.parseKey(q, u.Query().Has("ordering"))
	c.envelope = q.Word("envelope", "none", "none", "json") == "json"
	if c.endpoint = q.Text("endpoint", ""); c.endpoint != "" && !isEndpoint(c.endpoint) {
		q.Fail("invalid endpoint=%s: want a URL such as https://HOST", c.endpoint)
	}
	c.pause = q.Duration("pause", 2*time.Second, 0, time.Minute)
	c.maxMessages = q.Integer("max-messages", 100_000, 1, 10_000_000)
	c.maxBytes = int(q.Size("max-bytes", 128<<20, maxCallBytes, 1<<40))
	spec := sink.Spec{
		Bins:  c.payload.Bins(),
		New:   func(ctx context.Context) (sink.Sink, error) { return c.open(ctx, o.Metrics) },
		Probe: c.probe,
	}
	return spec, q.End()
}

// Numbers of partition keys that the URL does not say. A packed record has the changes of one
// key, so many keys would make many small records.
const (
	manyKeys = 256
	fewKeys  = 16
)

// parseKey parses the parameters of partition keys.
func (c *streamConfig) parseKey(q *sink.Query, hasOrdering bool) {
	absent := manyKeys
	if c.payload.Packed != "" {
		absent = fewKeys
	}
	c.keys = q.Integer("ordering", absent, 1, change.Partitions)
	switch {
	case q.Word("key", "shard", "shard", "digest") == "shard":
		return
	case hasOrdering:
		q.Fail("ordering=%d is for key=shard; with key=digest each record of the database has a key of its own", c.keys)
	case c.payload.Packed != "":
		q.Fail("key=digest is for mode=single; a packed record has changes of many records of the database")
	}
	c.keys = 0
}

// isEndpoint reports whether text is the URL of a host.
func isEndpoint(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// arn returns the name of the stream that Kinesis prefers.
func (c *streamConfig) arn() string {
	return "arn:" + awsconfig.Partition(c.region) + ":kinesis:" + c.region + ":" + c.account + ":stream/" + c.stream
}

// open makes a client, and registers the metrics with r, unless it is nil. It does not connect.
func (c streamConfig) open(ctx context.Context, r prometheus.Registerer) (sink.Sink, error) {
	s, err := newStream(ctx, c)
	if err != nil {
		return nil, err
	}
	k := newStreamSink(s)
	if k.registration, err = sink.Register(r, k.metrics.Collectors()...); err != nil {
		return nil, err
	}
	return k, nil
}
