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

// Names in the embedded cloud.
const (
	projectName      = "aerosink-local"
	topicName        = "projects/" + projectName + "/topics/changes"
	subscriptionName = "projects/" + projectName + "/subscriptions/local"
	bucketName       = "archive"
	prefix           = "changes"
)

// cloud is an emulator of Pub/Sub and one of Cloud Storage, with a topic, a
// subscription and a bucket. Each listens on loopback.
type cloud struct {
	pubsub        *pstest.Server
	pubsubClient  *pubsub.Client
	storage       *fakestorage.Server
	storageClient *storage.Client
	folder        string // of the bucket's objects
	pulled        int    // messages since the last clear
	closers       []func() error
}

// openCloud starts the emulators, and sets the variables that direct Google's clients in
// this process to them. Objects are kept in folder, or in a temporary one if it is "".
func openCloud(ctx context.Context, folder string) (c *cloud, err error) {
	c = &cloud{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the embedded cloud: %w", err), c.close())
		}
	}()
	if folder == "" {
		if c.folder, err = os.MkdirTemp("", "aerosink-"); err != nil {
			return c, err
		}
		c.closers = append(c.closers, func() error { return os.RemoveAll(c.folder) })
	}
	if err := c.openPubSub(ctx); err != nil {
		return c, err
	}
	return c, c.openStorage(ctx)
}

func (c *cloud) openPubSub(ctx context.Context) error {
	c.pubsub = pstest.NewServerWithAddress("127.0.0.1:0")
	c.closers = append(c.closers, c.pubsub.Close)
	if err := os.Setenv("PUBSUB_EMULATOR_HOST", c.pubsub.Addr); err != nil {
		return err
	}
	var err error
	if c.pubsubClient, err = pubsub.NewClient(ctx, projectName); err != nil {
		return err
	}
	c.closers = append(c.closers, c.pubsubClient.Close)
	if _, err = c.pubsubClient.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topicName}); err != nil {
		return err
	}
	_, err = c.pubsubClient.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: subscriptionName, Topic: topicName, EnableMessageOrdering: true,
	})
	return err
}

func (c *cloud) openStorage(ctx context.Context) error {
	var err error
	c.storage, err = fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", StorageRoot: c.folder, Writer: io.Discard})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, func() error { c.storage.Stop(); return nil })
	c.storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucketName})
	if err := os.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(c.storage.URL(), "http://")); err != nil {
		return err
	}
	if c.storageClient, err = storage.NewClient(ctx, storage.WithJSONReads()); err != nil {
		return err
	}
	c.closers = append(c.closers, c.storageClient.Close)
	return nil
}

// pull waits for messages of the subscription, and returns them. There may be none.
func (c *cloud) pull(ctx context.Context) ([]*pubsubpb.PubsubMessage, error) {
	const most = 1000
	got, err := c.pubsubClient.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscriptionName, MaxMessages: most})
	if err != nil || len(got.ReceivedMessages) == 0 {
		return nil, err
	}
	var messages []*pubsubpb.PubsubMessage
	var acks []string
	for _, m := range got.ReceivedMessages {
		messages = append(messages, m.Message)
		acks = append(acks, m.AckId)
	}
	c.pulled += len(messages)
	return messages, c.pubsubClient.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subscriptionName, AckIds: acks})
}

// clear frees the memory of the messages that were pulled. The emulator keeps all of
// them, and would grow for as long as a database ships to it.
func (c *cloud) clear() {
	const enough = 100_000
	if c.pulled > enough {
		c.pubsub.ClearMessages()
		c.pulled = 0
	}
}

// object is an object in the bucket.
type object struct {
	name string
	text string
}

// objects returns the objects in the bucket.
func (c *cloud) objects(ctx context.Context) ([]object, error) {
	var objects []object
	b := c.storageClient.Bucket(bucketName)
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

// close closes what was opened, in reverse order.
func (c *cloud) close() error {
	var errs []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		errs = append(errs, c.closers[i]())
	}
	return errors.Join(errs...)
}
