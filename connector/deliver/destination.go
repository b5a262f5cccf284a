// Package deliver sends encoded changes to HTTP destinations and returns a verdict on each
// change. It decides when and in which request a change is sent, and what a response means
// for each change. It does not interpret the encoded bytes.
//
// A destination has lanes. A lane is a queue of changes, of which at most one request is in
// flight. The lane of a change follows from its Aerospike partition, so versions of one
// record share a lane and never overtake each other. Changes that arrive while their lane
// is busy wait; they are then sent in one request together with those that wait in other
// lanes, as far as they fit. So an idle destination gets each change at once, a busy one
// gets full batches, and there are never more requests in flight than lanes.
//
// An item takes these steps:
//
//  1. [Destination.Send] adds the item to its lane.
//  2. The lane puts it into a batch, and itself into the gate's queue (lane.enqueue).
//  3. The gate chooses an endpoint, and starts a worker when a request is allowed. It
//     allows few requests while they are not full, and fewer when the destination is
//     overloaded: after a timeout, a 429 or a 503 (limiter.go). After a timeout they are
//     smaller too (batchlimit.go).
//  4. A worker (Destination.work) takes a job from the gate: the batches of the first
//     lane, and of others that fit with it, merged into one.
//  5. The exchange makes the request, package post sends it, and the exchange tells the
//     recipient of each item its verdict. A batch that was refused is split until the
//     change that causes the refusal is alone.
//
// Items that cannot be sent before their deadline, because no endpoint is healthy or
// because of a Retry-After, get their verdict at once. So do those that have waited too
// long (gate.sweep).
package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/report"
)

// Envelope makes a request body from n concatenated records, and returns its media type.
// The formats are envelopes.
type Envelope interface {
	Name() string
	Seal(records []byte, n int) (body []byte, mediaType string)
}

// Stream is what changes must have in common to travel in one request. Items of different
// Streams, compared as pointers, never share one.
type Stream struct {
	Envelope   Envelope
	MaxRecords int           // 1 sends each change in its own request
	MaxBytes   int           // soft: checked before a record is added
	Interval   time.Duration // how long a lane waits for more before it sends a batch that is not full
}

// Item is one encoded change for a destination.
type Item struct {
	Stream    *Stream
	Record    []byte // copied by Send
	Partition int
	Digest    change.Digest // of the change's record, for headers that contain it; zero if unknown

	// Namespace and Set are those of the change, for headers that contain them.
	Namespace, Set string

	// Header is added to the request, with precedence over the destination's headers. It
	// may be nil, and is ignored unless the Stream sends each change in its own request.
	// Send retains it.
	Header http.Header

	Deadline time.Time // after which the recipient no longer waits for the verdict
	To       change.Recipient
}

// Destination sends items to one destination. Its methods may be called by several
// goroutines at once.
type Destination struct {
	config      Config
	ctx         context.Context // of every request and health check
	cancel      context.CancelFunc
	client      *post.Client
	tellsOrigin bool // a header contains the namespace or the set
	gate        *gate
	lanes       []*lane
	endpoints   []*endpoint
	metrics     *destinationMetrics
	refusals    report.Refusals
	queued      atomic.Int64
	sweeping    atomic.Bool // a sweep is scheduled
	busyLanes   sync.WaitGroup
	workers     sync.WaitGroup
	checks      sync.WaitGroup // health checks
}

// endpoint is one URL of a destination, as the gate sees it.
type endpoint struct {
	*post.Endpoint
	changes    *changeCounters
	noResponse chan struct{} // of capacity 1; signals that a request got no response

	// Guarded by the gate.
	inFlight    int
	maxInFlight int
	unhealthy   bool
	checkErr    error     // of the last failed check
	resume      time.Time // no request before then, because of a Retry-After
}

// signalNoResponse tells the health check that a request got no response.
func (e *endpoint) signalNoResponse() {
	select {
	case e.noResponse <- struct{}{}:
	default:
	}
}

// New returns a Destination that takes items until Close.
func New(c Config) *Destination {
	d := &Destination{config: c, tellsOrigin: c.TellsOrigin()}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.metrics = newDestinationMetrics(d)
	d.client = post.NewClient(d.ctx, c.Config, d.metrics.post)
	for _, u := range c.URLs {
		d.endpoints = append(d.endpoints, &endpoint{
			Endpoint: post.NewEndpoint(c.Config, u), changes: d.metrics.changesOf(u.Host),
			noResponse: make(chan struct{}, 1), maxInFlight: c.RequestsPerEndpoint(),
		})
	}
	for range c.lanes() {
		d.lanes = append(d.lanes, &lane{d: d})
	}
	d.gate = &gate{d: d, endpoints: d.endpoints, limiter: newLimiter(len(d.lanes)), batches: newBatchLimit(), width: newWidth(len(d.lanes))}
	c.Metrics.register(d.metrics)
	if c.Health != nil {
		for _, e := range d.endpoints {
			h := healthCheck{d: d, endpoint: e, config: *c.Health}
			d.checks.Go(h.run)
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
)

// Send adds i to its lane. It does not block. If i cannot be sent before its deadline,
// because no endpoint is healthy or because of a Retry-After, it gets its verdict at once.
func (d *Destination) Send(i Item) {
	if n := d.queued.Add(1); n > int64(d.config.Queue*len(d.config.URLs)) {
		d.reject([]rejection{{i.To, errQueueFull}})
		return
	}
	if err := d.lanes[i.Partition%len(d.lanes)].add(&i); err != nil {
		d.reject([]rejection{{i.To, err}})
		return
	}
	d.scheduleSweep()
}

// work makes requests, as long as there is something to send and a request is allowed.
func (d *Destination) work() {
	for j, e := d.gate.first(); j != nil; j, e = d.gate.next() {
		j.merge()
		x := exchange{d: d, job: j, endpoint: e, batch: j.next(d.gate.maxRecords(j.batches[0].stream))}
		x.run()
		d.gate.done(j)
	}
}

// reject reports the errors of items that were never sent to their recipients.
func (d *Destination) reject(out []rejection) {
	if len(out) == 0 {
		return
	}
	d.metrics.unsent.failed.Add(uint64(len(out)))
	d.queued.Add(-int64(len(out)))
	var last, wrapped error
	for _, r := range out {
		if r.err != last { //nolint:errorlint // wrap each error only once
			last, wrapped = r.err, d.wrap(r.err)
		}
		r.to.Done(wrapped)
	}
}

func (d *Destination) wrap(err error) error {
	return fmt.Errorf("destination %s: %w", d.config.Name, err)
}

// sweepInterval is how often the waiting items are checked for expired deadlines.
const sweepInterval = 100 * time.Millisecond

// scheduleSweep schedules sweeps until no items are queued.
func (d *Destination) scheduleSweep() {
	if !d.sweeping.Load() && d.sweeping.CompareAndSwap(false, true) {
		time.AfterFunc(sweepInterval, d.sweep)
	}
}

func (d *Destination) sweep() {
	d.gate.sweep()
	d.sweeping.Store(false)
	if d.queued.Load() > 0 {
		d.scheduleSweep()
	}
}

// Close sends the queued items until ctx ends. Then it cancels the requests, and the
// remaining items get an error as their verdict. When Close returns, all goroutines of d
// have ended.
func (d *Destination) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, d.abort)
	defer stop()
	for _, l := range d.lanes {
		l.close()
	}
	d.busyLanes.Wait()
	d.workers.Wait()
	d.abort()
	d.checks.Wait()
	for _, e := range d.endpoints {
		e.Close()
	}
	d.config.Metrics.unregister(d.metrics)
}

func (d *Destination) abort() {
	d.cancel()
	d.gate.abort()
}
