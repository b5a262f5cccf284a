// Package deliver sends encoded changes to HTTP destinations: bytes go in, a
// verdict on each comes out. It decides when and in which request bytes travel,
// and what a status code means; what the bytes mean it does not know.
//
// A [Destination] has lanes, and a change's lane follows from its Aerospike
// partition. A lane has one request in flight. What arrives meanwhile is the next
// batch. So an idle destination gets each change at once, a busy one gets full
// batches, versions of a record never overtake each other, and no more requests
// are in flight than there are lanes.
package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Protocol is the version of HTTP that a destination speaks.
type Protocol int

// HTTP2 is negotiated over TLS, and on an http URL assumed (prior knowledge).
// There is no falling back from one to the other.
const (
	HTTP2 Protocol = iota
	HTTP1
)

// Config describes a destination. Zero values are not defaults: every field that
// has no comment to the contrary must be set.
type Config struct {
	Name     string
	URLs     []*url.URL // of endpoints that are as good as each other; at least one
	Protocol Protocol
	TLS      *tls.Config // for https; nil trusts the system's authorities
	Header   http.Header // of every request; may be nil

	Connections int // per endpoint
	Streams     int // requests in flight on an HTTP/2 connection
	Queue       int // changes waiting or in flight per endpoint; beyond it they are refused

	CallTimeout    time.Duration // of a request, from its first byte to the end of its answer
	ConnectTimeout time.Duration

	// Success reports whether a status means that the destination has the
	// changes. Nil means 200 to 299.
	Success func(status int) bool
}

// lanes returns how many requests may be in flight at once.
func (c Config) lanes() int {
	n := c.Connections * len(c.URLs)
	if c.Protocol == HTTP2 {
		n *= c.Streams
	}
	return min(max(n, 1), maxLanes)
}

// maxLanes is Aerospike's number of partitions; more lanes would stay empty.
const maxLanes = 4096

// Envelope makes a request body of n records that stand one after another, and
// says its media type. The formats are envelopes.
type Envelope interface {
	Seal(records []byte, n int) (body []byte, mediaType string)
}

// Stream is what changes must have in common to travel in one request. Parcels
// of different Streams, compared as pointers, never share one.
type Stream struct {
	Envelope   Envelope
	MaxRecords int           // 1 sends each change alone
	MaxBytes   int           // soft: looked at before a record is added
	Interval   time.Duration // that a lane waits for more before it sends less than that
}

// Recipient is told how a parcel fared.
type Recipient interface {
	// Settle is called once: with nil when the destination has the change, with
	// an error marked by change.Permanent when it never will, with another error
	// otherwise. It must not block.
	Settle(verdict error)
}

// Parcel is one encoded change on its way to a destination.
type Parcel struct {
	Stream    *Stream
	Record    []byte // copied by Send
	Partition int
	Deadline  time.Time // after which nobody waits for the verdict
	To        Recipient
}

// Destination sends parcels to one destination. Its methods may be called by
// several goroutines at once.
type Destination struct {
	config Config
	client *client
	lanes  []*lane
	queued atomic.Int64
	idle   sync.WaitGroup // the lanes' goroutines
}

// New returns a Destination, whose lanes wait for parcels until Close.
func New(c Config) *Destination {
	d := &Destination{config: c, client: newClient(c)}
	for i := range c.lanes() {
		l := &lane{index: i, wake: make(chan struct{}, 1)}
		d.lanes = append(d.lanes, l)
		d.idle.Go(func() { l.run(d) })
	}
	return d
}

// Name returns the destination's name in the configuration.
func (d *Destination) Name() string { return d.config.Name }

// Queued returns how many changes wait or are in flight.
func (d *Destination) Queued() int { return int(d.queued.Load()) }

var (
	errQueueFull = errors.New("queue is full")
	errTooLate   = errors.New("no time left for a request")
	errClosed    = errors.New("shutting down")
)

// Send puts p in its lane. It does not wait.
func (d *Destination) Send(p Parcel) {
	if n := d.queued.Add(1); n > int64(d.config.Queue*len(d.config.URLs)) {
		d.settle(p.To, errQueueFull)
		return
	}
	if !d.lanes[p.Partition%len(d.lanes)].add(p) {
		d.settle(p.To, errClosed)
	}
}

func (d *Destination) settle(to Recipient, err error) {
	d.queued.Add(-1)
	if err != nil {
		err = fmt.Errorf("destination %s: %w", d.config.Name, err)
	}
	to.Settle(err)
}

// Close lets the lanes send what they have, until ctx ends: then requests are
// broken off, and what is left is settled with an error. When Close returns,
// nothing of d is running any more.
func (d *Destination) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, d.client.abort)
	defer stop()
	for _, l := range d.lanes {
		l.close()
	}
	d.idle.Wait()
	d.client.close()
}
