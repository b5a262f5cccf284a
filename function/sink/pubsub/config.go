package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// topicConfig is what the URL of a topic and the options say.
type topicConfig struct {
	payload.Config
	url         string
	project     string
	topicID     string
	topicName   string // projects/PROJECT/topics/TOPIC
	endpoint    string // "" is Google's choice
	shards      int    // ordering keys; 0 publishes without
	maxMessages int    // queued or in flight
	maxBytes    int
	linger      time.Duration
	pause       time.Duration
	timeout     time.Duration
}

var (
	projectID = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)
	topicID   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$`)
	endpoint  = regexp.MustCompile(`^[a-z][a-z0-9-]*$|^[A-Za-z0-9.-]+:[0-9]+$`)
)

// Parse parses the URL of a topic, pubsub://PROJECT/TOPIC?ordering=256. The package
// comment lists its parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	q := sink.NewQuery(u)
	c := topicConfig{url: u.String(), project: u.Host, topicID: strings.TrimPrefix(u.Path, "/"), timeout: o.Timeout}
	c.topicName = "projects/" + c.project + "/topics/" + c.topicID
	if !projectID.MatchString(c.project) || !topicID.MatchString(c.topicID) {
		return sink.Spec{}, errors.New("want pubsub://PROJECT/TOPIC with the ID of a project and of a topic")
	}
	c.shards = q.Integer("ordering", 0, 0, change.Partitions)
	c.linger = q.Duration("linger", 10*time.Millisecond, 0, time.Second)
	c.pause = q.Duration("pause", 2*time.Second, 0, time.Minute)
	c.maxMessages = q.Integer("max-messages", 100_000, 1, 10_000_000)
	c.maxBytes = int(q.Size("max-bytes", 128<<20, requestBytes, 1<<40))
	if c.endpoint = q.Text("endpoint", ""); c.endpoint != "" && !endpoint.MatchString(c.endpoint) {
		q.Fail("invalid endpoint=%s: want a region or HOST:PORT", c.endpoint)
	}
	c.Config = payload.Parse(q, o, payload.AsReceived, "bigquery")
	spec := sink.Spec{
		Bins:  c.Bins(),
		New:   func(ctx context.Context) (sink.Sink, error) { return c.open(ctx, o.Metrics) },
		Probe: c.probe,
	}
	return spec, q.End()
}

// open connects to Pub/Sub and registers the metrics with r, unless it is nil.
func (c topicConfig) open(ctx context.Context, r prometheus.Registerer) (sink.Sink, error) {
	t, err := dial(ctx, c.topicName, c.endpoint)
	if err != nil {
		return nil, err
	}
	p := newPublisher(c, t)
	if p.registration, err = sink.Register(r, p.metrics.all()...); err != nil {
		return nil, errors.Join(err, t.client.Close())
	}
	return p, nil
}

// publishPermission is what the service account needs on the topic.
const publishPermission = "pubsub.topics.publish"

// probe checks that the topic exists and may be published to. It publishes nothing.
func (c *topicConfig) probe(ctx context.Context) error {
	t, err := dial(ctx, c.topicName, c.endpoint)
	if err != nil {
		return err
	}
	defer func() { _ = t.client.Close() }() // nothing is in flight
	answer, err := t.client.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: c.topicName, Permissions: []string{publishPermission}})
	switch {
	case status.Code(err) == codes.Unimplemented: // an emulator has no permissions
		if _, err = t.client.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: c.topicName}); err == nil {
			return nil
		}
	case err == nil && len(answer.GetPermissions()) > 0:
		return nil
	case err == nil: // Pub/Sub does not tell a missing topic from a forbidden one
		return fmt.Errorf("topic %s does not exist, or the service account may not publish to it; %s", c.topicName, c.remedy())
	}
	if code := status.Code(err); code == codes.NotFound || code == codes.PermissionDenied {
		return fmt.Errorf("check topic %s: %w; %s", c.topicName, err, c.remedy())
	}
	return fmt.Errorf("check topic %s: %w", c.topicName, err)
}

// remedy says how to create the topic and grant access to it.
func (c *topicConfig) remedy() string {
	return fmt.Sprintf("create it with gcloud pubsub topics create %s --project=%s, and grant the service account the role roles/pubsub.publisher "+
		"with gcloud pubsub topics add-iam-policy-binding %[1]s --project=%[2]s --member=serviceAccount:NAME --role=roles/pubsub.publisher", c.topicID, c.project)
}
