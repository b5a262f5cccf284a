// Package sinktest has the cloud that tests store changes in: Google's own fake of
// Pub/Sub and a fake of Cloud Storage, as real servers on loopback, which fail when
// a test says so.
package sinktest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/iterator"
)

// What there is in the cloud, and the sinks that lead there.
const (
	Topic       = "projects/test-project/topics/changes"
	PubSubSink  = "pubsub://test-project/changes"
	Bucket      = "archive"
	ArchiveSink = "gs://archive/changes"
)

// Cloud is a topic and a bucket. Google's clients in the process find it through
// the environment, which New sets for the test.
type Cloud struct {
	PubSub  *pstest.Server
	storage *fakestorage.Server

	mu           sync.Mutex
	publishFault func(*pubsubpb.PublishRequest) error
	storageFault http.HandlerFunc
}

// New starts a cloud, for as long as the test runs.
func New(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{}
	c.PubSub = pstest.NewServerWithAddress("127.0.0.1:0", pstest.ServerReactorOption{FuncName: "Publish", Reactor: c})
	t.Cleanup(func() { _ = c.PubSub.Close() }) // tells only of connections that are still open
	if _, err := c.PubSub.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: Topic}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PUBSUB_EMULATOR_HOST", c.PubSub.Addr)

	var err error
	if c.storage, err = fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Writer: io.Discard}); err != nil {
		t.Fatal(err)
	}
	c.storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: Bucket})
	front := httptest.NewServer(http.HandlerFunc(c.serveStorage))
	t.Cleanup(front.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(front.URL, "http://"))
	return c
}

// FailPublish makes publish requests fail with what fault returns of them. It is
// called for one at a time. Nil lets them pass.
func (c *Cloud) FailPublish(fault func(*pubsubpb.PublishRequest) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishFault = fault
}

// FailStorage makes fault answer requests to Cloud Storage; where it has written
// no answer, the request passes.
func (c *Cloud) FailStorage(fault http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.storageFault = fault
}

// React implements pstest.Reactor.
func (c *Cloud) React(request any) (handled bool, answer any, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.publishFault == nil {
		return false, nil, nil
	}
	publish, ok := request.(*pubsubpb.PublishRequest)
	if !ok {
		return true, &pubsubpb.PublishResponse{}, fmt.Errorf("a publish request of type %T", request)
	}
	err = c.publishFault(publish)
	return err != nil, &pubsubpb.PublishResponse{}, err
}

// answered remembers whether an answer was written.
type answered struct {
	http.ResponseWriter
	yes bool
}

func (a *answered) WriteHeader(status int) {
	a.yes = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(b []byte) (int, error) {
	a.yes = true
	return a.ResponseWriter.Write(b)
}

func (c *Cloud) serveStorage(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	fault := c.storageFault
	c.mu.Unlock()
	a := &answered{ResponseWriter: w}
	if fault != nil {
		fault(a, r)
	}
	if !a.yes {
		c.storage.HTTPHandler().ServeHTTP(w, r)
	}
}

// PassStorage lets a request of a fault through, and keeps its answer back.
func (c *Cloud) PassStorage(r *http.Request) {
	c.storage.HTTPHandler().ServeHTTP(httptest.NewRecorder(), r)
}

// Messages returns what was published, in order.
func (c *Cloud) Messages() []*pstest.Message { return c.PubSub.Messages() }

// Object is an object of the bucket.
type Object struct {
	Attrs   *storage.ObjectAttrs
	Content []byte // as stored
}

// Objects returns the bucket's objects by name.
func (c *Cloud) Objects(t testing.TB) []Object {
	t.Helper()
	client, err := storage.NewClient(t.Context(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // it only reads
	var objects []Object
	for it := client.Bucket(Bucket).Objects(t.Context(), nil); ; {
		attrs, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.Bucket(Bucket).Object(attrs.Name).NewReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		objects = append(objects, Object{attrs, content})
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Attrs.Name, b.Attrs.Name) })
	return objects
}
