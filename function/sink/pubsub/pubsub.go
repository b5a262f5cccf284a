// Package pubsub publishes changes as messages of a topic: a batch comes in, a verdict
// on each change goes back, and nil means that the message has its id.
package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// pubSub publishes each change as a message: its bytes as they came, and its
// metadata as attributes.
type pubSub struct {
	name      string
	client    *pubsub.Client
	publisher *pubsub.Publisher
	shards    int // of ordering keys; 0 publishes without
}

// Limits of a publish request (https://cloud.google.com/pubsub/quotas) and how
// long the publisher waits for more messages to fill one. What waits in memory is
// bounded too; beyond it Put waits.
const (
	publishMessages    = 1000
	publishBytes       = 5 << 20
	publishDelay       = 5 * time.Millisecond
	outstandingBytes   = 128 << 20
	outstandingRecords = 100_000
)

var (
	projectID = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)
	topicID   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$`)
)

// Parse reads the URL of a topic, pubsub://PROJECT/TOPIC?ordering=256.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	project, topic := u.Host, strings.TrimPrefix(u.Path, "/")
	if !projectID.MatchString(project) || !topicID.MatchString(topic) {
		return sink.Spec{}, errors.New("write pubsub://PROJECT/TOPIC with the ids of a project and a topic")
	}
	shards := q.Integer("ordering", 0, 0, change.Partitions)
	return sink.Spec{New: func(ctx context.Context) (sink.Sink, error) {
		client, err := pubsub.NewClient(ctx, project)
		if err != nil {
			return nil, err
		}
		p := client.Publisher(topic)
		p.EnableMessageOrdering = shards > 0
		p.PublishSettings.CountThreshold = publishMessages
		p.PublishSettings.ByteThreshold = publishBytes
		p.PublishSettings.DelayThreshold = publishDelay
		p.PublishSettings.Timeout = o.Timeout
		p.PublishSettings.FlowControlSettings = pubsub.FlowControlSettings{
			MaxOutstandingMessages: outstandingRecords,
			MaxOutstandingBytes:    outstandingBytes,
			LimitExceededBehavior:  pubsub.FlowControlBlock,
		}
		return &pubSub{name: u.String(), client: client, publisher: p, shards: shards}, nil
	}}, q.End()
}

// Put implements [sink.Sink]. It waits for the id of every message.
func (s *pubSub) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	batch := b.Changes
	results := make([]*pubsub.PublishResult, len(batch))
	for i := range batch {
		p := &batch[i]
		results[i] = s.publisher.Publish(ctx, &pubsub.Message{
			Data:        p.Data,
			Attributes:  attributes(p),
			OrderingKey: s.orderingKey(&p.Change),
		})
	}
	var verdicts sink.Verdicts
	failed := map[string]bool{}
	for i, r := range results {
		_, err := r.Get(ctx)
		if err == nil {
			continue
		}
		failed[s.orderingKey(&batch[i].Change)] = true
		verdicts.Set(len(batch), i, s.verdict(err))
	}
	// After a failure the publisher refuses the key, so that nothing overtakes what
	// failed. By now all of this batch has been refused or published; who sent it
	// will send what failed again, and needs the key open for that.
	if s.shards > 0 {
		for key := range failed {
			s.publisher.ResumePublish(key)
		}
	}
	return verdicts
}

func (s *pubSub) verdict(err error) error {
	err = fmt.Errorf("publish to %s: %w", s.name, err)
	if errors.Is(err, pubsub.ErrOversizedMessage) {
		return change.Permanent(err)
	}
	return err
}

// orderingKey returns the shard of the record's partition, so that the versions of
// a record keep their order, and one publish request can still carry many records:
// all messages of a request have one key, and a key is limited to 1 MB/s.
func (s *pubSub) orderingKey(c *change.Change) string {
	if s.shards == 0 {
		return ""
	}
	return strconv.Itoa(c.Digest.Partition() % s.shards)
}

// attributes returns the change's metadata, without what it does not have, and the
// format of its bytes.
func attributes(p *format.Parsed) map[string]string {
	c := &p.Change
	a := map[string]string{
		"namespace": c.Namespace,
		"op":        c.Op.String(),
		"digest":    c.Digest.String(),
		"partition": strconv.Itoa(c.Digest.Partition()),
		"format":    p.Format,
	}
	if c.Set != "" {
		a["set"] = c.Set
	}
	if c.Generation > 0 {
		a["generation"] = strconv.FormatUint(uint64(c.Generation), 10)
	}
	if c.LUT > 0 {
		a["lut"] = strconv.FormatInt(c.LUT, 10)
	}
	if !c.Op.IsDelete() && c.Expiry != change.ExpiryUnknown {
		a["expiry"] = strconv.FormatInt(c.Expiry, 10)
	}
	return a
}

// Close implements [sink.Sink].
func (s *pubSub) Close() error {
	s.publisher.Stop()
	return s.client.Close()
}
