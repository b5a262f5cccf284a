package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// asReceived is the name of the data that are not written anew.
const asReceived = "as-received"

// settings are what the URL of a topic and the options say.
type settings struct {
	url         string
	project     string
	topicID     string
	topicName   string // projects/PROJECT/topics/TOPIC
	endpoint    string // "" is Google's choice
	shards      int    // of ordering keys; 0 publishes without
	maxMessages int    // that wait or are under way
	maxBytes    int
	linger      time.Duration
	pause       time.Duration
	timeout     time.Duration
	format      string // that changes are written anew in; "" is none
	rewrite     func(dst []byte, p *format.Parsed) ([]byte, error)
	packed      string // format of whole batches in one message; "" is none
	compression string // of those
}

var (
	projectID = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)
	topicID   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$`)
	endpoint  = regexp.MustCompile(`^[a-z][a-z0-9-]*$|^[A-Za-z0-9.-]+:[0-9]+$`)
)

// Parse reads the URL of a topic, pubsub://PROJECT/TOPIC?ordering=256. The package
// says what its parameters mean.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	s := settings{url: u.String(), project: u.Host, topicID: strings.TrimPrefix(u.Path, "/"), timeout: o.Timeout}
	s.topicName = "projects/" + s.project + "/topics/" + s.topicID
	if !projectID.MatchString(s.project) || !topicID.MatchString(s.topicID) {
		return sink.Spec{}, errors.New("write pubsub://PROJECT/TOPIC with the ids of a project and a topic")
	}
	s.shards = q.Integer("ordering", 0, 0, change.Partitions)
	s.linger = q.Duration("linger", 10*time.Millisecond, 0, time.Second)
	s.pause = q.Duration("pause", 2*time.Second, 0, time.Minute)
	s.maxMessages = q.Integer("max-messages", 100_000, 1, 10_000_000)
	s.maxBytes = int(q.Size("max-bytes", 128<<20, requestBytes, 1<<40))
	if s.endpoint = q.Text("endpoint", ""); s.endpoint != "" && !endpoint.MatchString(s.endpoint) {
		q.Fail("endpoint=%s is neither a region nor HOST:PORT", s.endpoint)
	}
	s.parseData(q, o)
	spec := sink.Spec{
		Bins:  s.format != "" || s.packed != "",
		New:   func(ctx context.Context) (sink.Sink, error) { return s.open(ctx, o.Metrics) },
		Probe: s.probe,
	}
	return spec, q.End()
}

// parseData reads what a message holds.
func (s *settings) parseData(q *sink.Query, o sink.Options) {
	name := q.Word("data", asReceived, asReceived, "json", "flat-json", "message-pack", "xdr", "avro", "bigquery")
	mode := q.Word("mode", "single", "single", "packed")
	packed := q.Word("packed", "ndjson", "ndjson", "avro")
	s.compression = q.Word("compression", "zstd", compressions...)
	switch {
	case mode == "packed" && name != asReceived:
		q.Fail("data=%s goes with single messages; what packed ones hold is packed=", name)
	case mode == "packed":
		s.packed = packed
	case name != asReceived:
		s.format = name
		s.rewrite = rewriter(name, o)
	}
}

// rewriter returns what writes changes anew in a format, or as a kind of row.
func rewriter(name string, o sink.Options) func(dst []byte, p *format.Parsed) ([]byte, error) {
	var f format.Format = o.Avro
	switch {
	case name == "bigquery":
		return func(dst []byte, p *format.Parsed) ([]byte, error) { return row.AppendBigQuery(dst, &p.Change) }
	case name != "avro":
		f, _ = format.ByName(name, o.MetadataKey) // there are no other names
	case o.Avro == nil:
		return func(dst []byte, p *format.Parsed) ([]byte, error) {
			r, err := row.Of(p)
			if err != nil {
				return nil, err
			}
			return row.AppendAvro(dst, &r), nil
		}
	}
	return func(dst []byte, p *format.Parsed) ([]byte, error) {
		record, err := f.Append(dst, &p.Change)
		if err != nil {
			return nil, err
		}
		data, _ := f.Seal(record, 1)
		return data, nil
	}
}

// pubSub is the sink.
type pubSub struct {
	*publisher
	registerer prometheus.Registerer
}

// open connects to Pub/Sub.
func (s settings) open(ctx context.Context, r prometheus.Registerer) (sink.Sink, error) {
	t, err := dial(ctx, s.topicName, s.endpoint)
	if err != nil {
		return nil, err
	}
	p := newPublisher(s, t)
	if err := p.metrics.register(r); err != nil {
		return nil, errors.Join(err, t.client.Close())
	}
	return &pubSub{publisher: p, registerer: r}, nil
}

// Put implements [sink.Sink]. It waits until every message has its id or a verdict.
func (s *pubSub) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("publish to %s: %w", s.url, err))
	}
	d := s.write(b)
	defer d.buffer.release()
	if len(d.parcels) == 0 {
		return d.verdicts
	}
	s.offer(d)
	select {
	case <-d.done:
	case <-ctx.Done():
		s.abandon(d, ctx.Err())
	}
	return d.verdicts
}

// Close implements [sink.Sink].
func (s *pubSub) Close() error {
	s.workers.Wait()
	s.metrics.unregister(s.registerer)
	return s.topic.client.Close()
}
