// Package sinktest has fakes of Pub/Sub and Cloud Storage for tests that store changes.
// They are real servers on loopback, Google's own pstest and fake-gcs-server, and fail
// when a test says so.
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

// The topic and the bucket of a Cloud, and the URLs of sinks that store in them.
const (
	Topic       = "projects/test-project/topics/changes"
	PubSubSink  = "pubsub://test-project/changes"
	Bucket      = "archive"
	ArchiveSink = "gs://archive/changes"
)

// Cloud is a fake topic and a fake bucket. Google's clients in the process find them
// through environment variables, which New sets for the test.
type Cloud struct {
	PubSub  *pstest.Server
	storage *fakestorage.Server

	mu           sync.Mutex
	publishFault func(*pubsubpb.PublishRequest) error
	storageFault http.HandlerFunc
}

// New starts a Cloud, which stops when the test ends.
func New(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{}
	c.PubSub = pstest.NewServerWithAddress("127.0.0.1:0", pstest.ServerReactorOption{FuncName: "Publish", Reactor: c})
	t.Cleanup(func() { _ = c.PubSub.Close() }) // an error would only mean open connections
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

// FailPublish makes publish requests fail with the errors that fault returns for them.
// It is called for one request at a time. A nil fault fails none.
func (c *Cloud) FailPublish(fault func(*pubsubpb.PublishRequest) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishFault = fault
}

// FailStorage makes fault handle requests to Cloud Storage. A request that it does not
// respond to is handled as usual.
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

// recorder remembers whether a response was written.
type recorder struct {
	http.ResponseWriter
	written bool
}

func (r *recorder) WriteHeader(status int) {
	r.written = true
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

func (c *Cloud) serveStorage(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	fault := c.storageFault
	c.mu.Unlock()
	response := &recorder{ResponseWriter: w}
	if fault != nil {
		fault(response, r)
	}
	if !response.written {
		c.storage.HTTPHandler().ServeHTTP(w, r)
	}
}

// PassStorage handles a request as usual but discards the response. A fault may call it.
func (c *Cloud) PassStorage(r *http.Request) {
	c.storage.HTTPHandler().ServeHTTP(httptest.NewRecorder(), r)
}

// Messages returns the published messages, in order.
func (c *Cloud) Messages() []*pstest.Message { return c.PubSub.Messages() }

// Object is an object in the bucket.
type Object struct {
	Attrs   *storage.ObjectAttrs
	Content []byte // as stored
}

// Objects returns the objects in the bucket, sorted by name.
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
