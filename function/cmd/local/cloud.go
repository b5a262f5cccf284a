package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/iterator"

	"github.com/aerosink/aerosink/function/pipeline"
)

// Names in the embedded cloud.
const (
	projectName = "aerosink-local"
	topicID     = "changes"
	topicName   = "projects/" + projectName + "/topics/" + topicID
	bucketName  = "archive"
	prefix      = "changes"

	// noticesID is the topic of Cloud Storage's notifications about new objects
	// (https://cloud.google.com/storage/docs/pubsub-notifications).
	noticesID = "object-notifications"
)

// cloud is an emulator of Pub/Sub and one of Cloud Storage, with the topics and buckets of
// the function's sinks. Each listens on loopback.
type cloud struct {
	pubsub        *pstest.Server
	pubsubClient  *pubsub.Client
	storage       *fakestorage.Server
	storageClient *storage.Client
	folder        string          // of the buckets' objects
	changes       []*subscription // to the topics of the sinks
	notices       *subscription   // to the topic of notifications
	topics        []string
	buckets       []string
	closers       []func() error
}

// openCloud starts the emulators, and sets the variables that direct Google's clients in
// this process to them.
func openCloud(ctx context.Context, o *options) (c *cloud, err error) {
	c = &cloud{folder: o.folder}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the embedded cloud: %w", err), c.close())
		}
	}()
	if c.folder == "" {
		if c.folder, err = os.MkdirTemp("", "aerosink-"); err != nil {
			return c, err
		}
		c.closers = append(c.closers, func() error { return os.RemoveAll(c.folder) })
	}
	c.topics, c.buckets = o.topicsAndBuckets()
	if err := c.openPubSub(ctx, o.port(4)); err != nil {
		return c, err
	}
	return c, c.openStorage(ctx, o.port(5))
}

// topicsAndBuckets returns the names of the topics and of the buckets in the sinks.
func (o *options) topicsAndBuckets() (topics, buckets []string) {
	for _, s := range o.specs {
		u, err := url.Parse(s.URL)
		switch {
		case err != nil: // of another kind of sink, which has its own form
		case u.Scheme == "pubsub":
			topics = append(topics, "projects/"+u.Host+"/topics/"+strings.Trim(u.Path, "/"))
		case u.Scheme == "gs":
			buckets = append(buckets, u.Host)
		}
	}
	return topics, buckets
}

func (c *cloud) openPubSub(ctx context.Context, address string) (err error) {
	if c.pubsub, err = startPubSub(ctx, address); err != nil {
		return err
	}
	c.closers = append(c.closers, c.pubsub.Close)
	if err := os.Setenv("PUBSUB_EMULATOR_HOST", c.pubsub.Addr); err != nil {
		return err
	}
	if c.pubsubClient, err = pubsub.NewClient(ctx, projectName); err != nil {
		return err
	}
	c.closers = append(c.closers, c.pubsubClient.Close)
	for _, topic := range c.topics {
		s, err := c.subscribe(ctx, topic)
		if err != nil {
			return err
		}
		c.changes = append(c.changes, s)
	}
	c.notices, err = c.subscribe(ctx, "projects/"+projectName+"/topics/"+noticesID)
	return err
}

// startPubSub starts the emulator of Pub/Sub. It panics where it cannot listen, so that is
// found out first.
func startPubSub(ctx context.Context, address string) (*pstest.Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, pipeline.ListenError("Pub/Sub", address, "-ports", err)
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return pstest.NewServerWithAddress(address), nil
}

// subscribe creates a topic and a subscription to it.
func (c *cloud) subscribe(ctx context.Context, topic string) (*subscription, error) {
	if _, err := c.pubsubClient.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topic}); err != nil {
		return nil, fmt.Errorf("create topic %s: %w", topic, err)
	}
	s := &subscription{client: c.pubsubClient, name: strings.Replace(topic, "/topics/", "/subscriptions/local-", 1)}
	_, err := c.pubsubClient.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: s.name, Topic: topic, EnableMessageOrdering: true,
	})
	if err != nil {
		return nil, fmt.Errorf("create subscription %s: %w", s.name, err)
	}
	return s, nil
}

func (c *cloud) openStorage(ctx context.Context, address string) error {
	host, port, err := splitAddress(address)
	if err != nil {
		return err
	}
	notices := fakestorage.EventManagerOptions{ProjectID: projectName, TopicName: noticesID}
	notices.NotifyOn.Finalize = true
	c.storage, err = fakestorage.NewServerWithOptions(fakestorage.Options{
		Scheme: "http", Host: host, Port: port, StorageRoot: c.folder, Writer: io.Discard, EventOptions: notices,
	})
	if folder := (*fs.PathError)(nil); errors.As(err, &folder) {
		return fmt.Errorf("keep the objects of Cloud Storage: %w; choose another folder with -dir", err)
	}
	if err != nil {
		return pipeline.ListenError("Cloud Storage", address, "-ports", err)
	}
	c.closers = append(c.closers, func() error { c.storage.Stop(); return nil })
	for _, bucket := range c.buckets {
		c.storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	}
	if err := os.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(c.storage.URL(), "http://")); err != nil {
		return err
	}
	if c.storageClient, err = storage.NewClient(ctx, storage.WithJSONReads()); err != nil {
		return err
	}
	c.closers = append(c.closers, c.storageClient.Close)
	return nil
}

// splitAddress splits HOST:PORT.
func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	number, err := strconv.ParseUint(text, 10, 16)
	return host, uint16(number), err
}

// manyMessages is how many messages the emulator of Pub/Sub keeps.
const manyMessages = 100_000

// forget frees the memory of messages once at least most have been shown. The emulator keeps
// all of them, and would grow for as long as a database ships to it. It returns how many
// messages are gone that were not shown, because they came faster than the emulator
// delivers, and whether it freed anything.
func (c *cloud) forget(shown, most int) (missed int, freed bool) {
	if shown < most {
		return 0, false
	}
	missed = max(len(c.pubsub.Messages())-shown, 0)
	c.pubsub.ClearMessages()
	return missed, true
}

// object is an object in the bucket.
type object struct {
	name string
	text string
}

// objects returns the objects in the bucket of the default sinks.
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
