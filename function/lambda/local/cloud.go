package local

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// cloud is fakes of SQS, Kinesis and S3 behind one server on loopback, with the queues, streams
// and buckets of the sinks.
type cloud struct {
	sqs     *fake.SQS
	kinesis *fake.Kinesis
	s3      *fake.S3

	queues, streams, buckets []string

	server *http.Server
	url    string
	served chan error
	called chan struct{} // has a value after a call
	many   int           // what a queue, stream or bucket keeps at most, about

	// What arrived has returned: the last sequence number of each queue, the number of records
	// of each stream, and the keys of each bucket.
	lastMessage map[string]string
	numRecords  map[string]int
	objects     map[string]map[string]bool
}

// openCloud starts the fakes, and sets the variables that direct AWS's clients in this process
// to them.
func openCloud(ctx context.Context, address string, specs []sink.Spec) (*cloud, error) {
	c := &cloud{
		sqs: fake.NewSQS(), kinesis: fake.NewKinesis(), s3: fake.NewS3(),
		served: make(chan error, 1), called: make(chan struct{}, 1), many: manyArrivals,
		lastMessage: map[string]string{}, numRecords: map[string]int{}, objects: map[string]map[string]bool{},
	}
	if err := c.create(specs); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, pipeline.ListenError("AWS's services", address, "-ports", err)
	}
	c.url = "http://" + l.Addr().String()
	for name, value := range awsVariables(c.url) {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: time.Second}
	go func() { c.served <- c.server.Serve(l) }()
	return c, nil
}

// create makes what the sinks name. Queues are as fast as FIFO queues get.
func (c *cloud) create(specs []sink.Spec) error {
	for _, s := range specs {
		u, err := url.Parse(s.URL)
		if err != nil {
			continue // of another kind of sink, which has its own form
		}
		_, name, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		switch {
		case u.Scheme == "sqs" && !slices.Contains(c.queues, name):
			c.queues = append(c.queues, name)
			if err := c.createQueue(name); err != nil {
				return err
			}
		case u.Scheme == "kinesis" && !slices.Contains(c.streams, name):
			c.streams = append(c.streams, name)
			c.kinesis.CreateStream(name, 2)
		case u.Scheme == "s3" && !slices.Contains(c.buckets, u.Host):
			c.buckets = append(c.buckets, u.Host)
			c.s3.CreateBucket(u.Host)
		}
	}
	return nil
}

func (c *cloud) createQueue(name string) error {
	var attributes map[string]string
	if strings.HasSuffix(name, ".fifo") {
		attributes = map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
	}
	return c.sqs.CreateQueue(name, attributes)
}

// ServeHTTP passes a request to the service that it is for.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch service, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); service {
	case "AmazonSQS":
		c.sqs.ServeHTTP(w, r)
	case "Kinesis_20131202":
		c.kinesis.ServeHTTP(w, r)
	default:
		c.s3.ServeHTTP(w, r)
	}
	select {
	case c.called <- struct{}{}:
	default:
	}
}

// arrivals are what has arrived in the services.
type arrivals struct {
	messages []message
	records  []record
	objects  []object
}

type message struct {
	queue string
	fake.SQSMessage
}

type record struct {
	stream string
	fake.KinesisRecord
}

type object struct {
	bucket string
	fake.S3Object
}

// name returns the URL of the object.
func (o *object) name() string { return "s3://" + o.bucket + "/" + o.Key }

// manyArrivals is how many messages, records and objects a queue, stream or bucket keeps.
const manyArrivals = 10_000

// arrived returns what has arrived since it was called last. What a queue, stream or bucket
// holds is removed once there are many. It must not be called by several goroutines at once.
func (c *cloud) arrived() arrivals {
	var a arrivals
	for _, queue := range c.queues {
		all := c.sqs.Messages(queue)
		if len(all) >= c.many {
			all = c.sqs.Empty(queue)
		}
		for _, m := range all {
			if m.SequenceNumber > c.lastMessage[queue] {
				c.lastMessage[queue] = m.SequenceNumber
				a.messages = append(a.messages, message{queue, m})
			}
		}
	}
	for _, stream := range c.streams {
		all, seen := c.kinesis.Records(stream), c.numRecords[stream]
		c.numRecords[stream] = len(all)
		if len(all) >= c.many {
			all, c.numRecords[stream] = c.kinesis.Empty(stream), 0
		}
		for _, r := range all[seen:] {
			a.records = append(a.records, record{stream, r})
		}
	}
	for _, bucket := range c.buckets {
		a.objects = append(a.objects, c.arrivedIn(bucket)...)
	}
	return a
}

// arrivedIn returns the objects that have arrived in a bucket.
func (c *cloud) arrivedIn(bucket string) []object {
	seen := c.objects[bucket]
	if seen == nil {
		seen = map[string]bool{}
		c.objects[bucket] = seen
	}
	all := c.s3.Objects(bucket)
	many := len(all) >= c.many
	if many {
		all = c.s3.Empty(bucket)
	}
	var objects []object
	for _, o := range all {
		if !seen[o.Key] {
			seen[o.Key] = true
			objects = append(objects, object{bucket, o})
		}
	}
	if many {
		clear(seen)
	}
	return objects
}

// close stops the server.
func (c *cloud) close() error {
	return errors.Join(c.server.Close(), ignoreClosed(<-c.served))
}
