// Package deliver sends encoded changes to HTTP destinations: bytes go in, a
// verdict on each comes out. It decides when and in which request bytes travel,
// and what a status code means; what the bytes mean it does not know.
//
// A [Destination] has lanes, and a change's lane follows from its Aerospike
// partition. At most one request in flight has changes of a lane. What arrives
// meanwhile waits, and goes in one request with what waits in other lanes, as far
// as it fits. So an idle destination gets each change at once, a busy one gets full
// batches, versions of a record never overtake each other, and no more requests are
// in flight than there are lanes.
//
// Before the lanes is a gate, from which carriers fetch what they send. It chooses
// the endpoint, and says how many requests may be in flight at once: few while they
// are not full, and fewer when the destination has too much, after a timeout, a 429
// or a 503. What could only wait in vain, since no endpoint is healthy or
// Retry-After says so, gets its verdict at once.
package deliver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Envelope makes a request body of n records that stand one after another, and
// says its media type. The formats are envelopes.
type Envelope interface {
	Name() string
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

	// Namespace and Set are where the change is from, for a Header that tells
	// them.
	Namespace, Set string

	// Header is that of a request of this parcel alone, whose Stream sends each
	// by itself; may be nil. It counts before the destination's own. The parcel
	// keeps it.
	Header http.Header

	Deadline time.Time // after which nobody waits for the verdict
	To       Recipient
}

// Destination sends parcels to one destination. Its methods may be called by
// several goroutines at once.
type Destination struct {
	config    Config
	client    *client
	gate      *gate
	lanes     []*lane
	endpoints []*endpoint
	counts    *counts
	refusals  refusals
	queued    atomic.Int64
	tidying   atomic.Bool    // what waits is looked through soon
	busy      sync.WaitGroup // lanes that are
	carriers  sync.WaitGroup // under way
	checking  sync.WaitGroup // the health checks
}

// New returns a Destination, which takes parcels until Close.
func New(c Config) *Destination {
	d := &Destination{config: c}
	d.counts = newCounts(d)
	d.client = newClient(c, d.counts)
	for _, u := range c.URLs {
		d.endpoints = append(d.endpoints, newEndpoint(c, u, d.counts.at(u.Host)))
	}
	for range c.lanes() {
		d.lanes = append(d.lanes, &lane{d: d})
	}
	d.gate = &gate{d: d, endpoints: d.endpoints, limit: newLimit(len(d.lanes)), width: newWidth(len(d.lanes))}
	c.Metrics.register(d.counts)
	if c.Health != nil {
		for _, e := range d.endpoints {
			d.checking.Go(func() { d.watch(e) })
		}
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

// Send puts p in its lane. It does not wait. A parcel that could only wait in
// vain, because no endpoint is healthy or because the destination asked for no
// requests before the deadline, is settled at once.
func (d *Destination) Send(p Parcel) {
	if n := d.queued.Add(1); n > int64(d.config.Queue*len(d.config.URLs)) {
		d.settleAll([]settlement{{p.To, errQueueFull}})
		return
	}
	if err := d.lanes[p.Partition%len(d.lanes)].add(&p); err != nil {
		d.settleAll([]settlement{{p.To, err}})
		return
	}
	d.tidySoon()
}

// Close lets the lanes send what they have, until ctx ends: then requests are
// broken off, and what is left is settled with an error. When Close returns,
// nothing of d is running any more.
func (d *Destination) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, d.abort)
	defer stop()
	for _, l := range d.lanes {
		l.close()
	}
	d.busy.Wait()
	d.carriers.Wait()
	d.abort()
	d.checking.Wait()
	for _, e := range d.endpoints {
		e.close()
	}
	d.config.Metrics.unregister(d.counts)
}

func (d *Destination) abort() {
	d.client.abort()
	d.gate.abort()
}
