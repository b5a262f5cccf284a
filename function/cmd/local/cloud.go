package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/iterator"
)

// What the embedded cloud holds.
const (
	projectName = "aerosink-local"
	topicName   = "projects/" + projectName + "/topics/changes"
	viewerName  = "projects/" + projectName + "/subscriptions/local"
	bucketName  = "archive"
	prefix      = "changes"
)

// cloud is Google's own fake of Pub/Sub and a fake of Cloud Storage, each behind a
// real endpoint on loopback, with a topic, a subscription and a bucket.
type cloud struct {
	pubsub     *pstest.Server
	client     *pubsub.Client
	storage    *fakestorage.Server
	bucket     *storage.Client
	folder     string
	temporary  bool
	seen       int // messages pulled since the last forget
	unreleased []func() error
}

// openCloud starts the fakes and points Google's clients in this process at them.
func openCloud(ctx context.Context, folder string) (c *cloud, err error) {
	c = &cloud{folder: folder, temporary: folder == ""}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the embedded cloud: %w", err), c.close())
		}
	}()
	if c.temporary {
		if c.folder, err = os.MkdirTemp("", "aerosink-"); err != nil {
			return c, err
		}
		c.unreleased = append(c.unreleased, func() error { return os.RemoveAll(c.folder) })
	}
	if err := c.openPubSub(ctx); err != nil {
		return c, err
	}
	return c, c.openStorage(ctx)
}

func (c *cloud) openPubSub(ctx context.Context) error {
	c.pubsub = pstest.NewServerWithAddress("127.0.0.1:0")
	c.unreleased = append(c.unreleased, c.pubsub.Close)
	if err := os.Setenv("PUBSUB_EMULATOR_HOST", c.pubsub.Addr); err != nil {
		return err
	}
	var err error
	if c.client, err = pubsub.NewClient(ctx, projectName); err != nil {
		return err
	}
	c.unreleased = append(c.unreleased, c.client.Close)
	if _, err = c.client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topicName}); err != nil {
		return err
	}
	_, err = c.client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: viewerName, Topic: topicName, EnableMessageOrdering: true,
	})
	return err
}

func (c *cloud) openStorage(ctx context.Context) error {
	var err error
	c.storage, err = fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", StorageRoot: c.folder, Writer: io.Discard})
	if err != nil {
		return err
	}
	c.unreleased = append(c.unreleased, func() error { c.storage.Stop(); return nil })
	c.storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucketName})
	if err := os.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(c.storage.URL(), "http://")); err != nil {
		return err
	}
	if c.bucket, err = storage.NewClient(ctx, storage.WithJSONReads()); err != nil {
		return err
	}
	c.unreleased = append(c.unreleased, c.bucket.Close)
	return nil
}

// pull waits for messages to come out of the subscription, and returns none at
// times.
func (c *cloud) pull(ctx context.Context) ([]*pubsubpb.PubsubMessage, error) {
	const most = 1000
	got, err := c.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: viewerName, MaxMessages: most})
	if err != nil || len(got.ReceivedMessages) == 0 {
		return nil, err
	}
	var messages []*pubsubpb.PubsubMessage
	var acks []string
	for _, m := range got.ReceivedMessages {
		messages = append(messages, m.Message)
		acks = append(acks, m.AckId)
	}
	c.seen += len(messages)
	return messages, c.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: viewerName, AckIds: acks})
}

// forget frees the memory of what was pulled. The fake keeps every message, and
// would grow for as long as a database ships to it.
func (c *cloud) forget() {
	const enough = 100_000
	if c.seen > enough {
		c.pubsub.ClearMessages()
		c.seen = 0
	}
}

// object is one object of the bucket and what it holds.
type object struct {
	name string
	text string
}

func (c *cloud) objects(ctx context.Context) ([]object, error) {
	var objects []object
	b := c.bucket.Bucket(bucketName)
	for it := b.Objects(ctx, nil); ; {
		attrs, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list gs://%s: %w", bucketName, err)
		}
		r, err := b.Object(attrs.Name).NewReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("read gs://%s/%s: %w", bucketName, attrs.Name, err)
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("read gs://%s/%s: %w", bucketName, attrs.Name, err)
		}
		objects = append(objects, object{attrs.Name, string(text)})
	}
}

// close releases everything, in the reverse order.
func (c *cloud) close() error {
	var errs []error
	for i := len(c.unreleased) - 1; i >= 0; i-- {
		errs = append(errs, c.unreleased[i]())
	}
	return errors.Join(errs...)
}
