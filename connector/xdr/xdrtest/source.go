// Package xdrtest imitates the half of an Aerospike node that ships changes. A [Source] holds
// records, which are written, read, scanned and expire as on a node, and ships their changes
// to connectors over XDR, with faults if asked to. The functions read messages from files.
// The package is for tests, for trying a connector without a database, and for the
// development node (connector/devnode), which is the other half.
package xdrtest

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Source ships changes as a node does. It opens connections when there is something to
// ship, and sends only requests, many of them before the first reply. A changed record is
// queued by its digest in the queue of its partition, and read when it is shipped. A
// partition has one connection, and a record has at most one request in flight. Replies are
// matched by position. A change is shipped again after a reply that asks for a retry, or if
// its connection breaks, until it is acknowledged.
//
// Set the fields before the first call. Methods are safe for concurrent use.
type Source struct {
	Address     string      // of the connector's XDR port
	Others      []string    // more connectors, which share the records with the first
	Connections int         // to each connector; 0 means 1
	TLS         *tls.Config // nil ships in clear text
	Window      int         // requests in flight on a connection; 0 means 1000

	Period     time.Duration // from one burst of requests to the next; 0 ships at once
	HotKey     time.Duration // a record is not shipped again before; may be 0
	RetryAfter time.Duration // wait before shipping again; 0 means 100ms
	AckTimeout time.Duration // the oldest request without a reply breaks its connection; 0 means 15s

	Policy Policy
	Faults Faults

	Now func() time.Time // the clock of LUTs and expiry; nil means time.Now

	// Answered is called with every reply, concurrently; may be nil.
	Answered func(Reply)

	mu          sync.Mutex
	changed     *sync.Cond // pending became 0
	namespaces  map[string]*namespace
	shipped     []string        // namespaces; nil if all are
	connections [][]*connection // of each connector
	disturber   *disturber
	pending     int // changes that are queued or in flight
	stats       Stats
	abandoned   error // the first error, if any
}

// Version identifies a change.
type Version struct {
	Digest     change.Digest
	Op         change.Op
	Generation uint32
	LUT        int64 // Unix milliseconds
}

// VersionOf returns the version of the record that c made.
func VersionOf(c *change.Change) Version {
	return Version{c.Digest, c.Op, c.Generation, c.LUT}
}

// Reply is the reply of a connector to a request.
type Reply struct {
	Version
	Code xdr.Code
	Took time.Duration // since the request was written
}

// Run ships changes until ctx ends.
func (s *Source) Run(ctx context.Context) {
	s.mu.Lock()
	s.begin()
	s.mu.Unlock()
	var running sync.WaitGroup
	for _, connections := range s.connections {
		for _, c := range connections {
			running.Go(func() { c.run(ctx) })
		}
	}
	running.Wait()
}

// Settle returns when every change so far is acknowledged. It returns an error if a change
// was abandoned, or if ctx ends first.
func (s *Source) Settle(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})()
	for s.pending > 0 && ctx.Err() == nil {
		s.changed.Wait()
	}
	if s.pending > 0 {
		return errors.Join(s.abandoned, fmt.Errorf("%d messages not shipped: %w", s.pending, ctx.Err()))
	}
	return s.abandoned
}

// Play ships frames unchanged, besides the changes of records, and returns as Settle does.
func (s *Source) Play(ctx context.Context, frames []xdr.Frame) error {
	if err := s.queueFrames(frames); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	err := s.Settle(ctx)
	stop()
	running.Wait()
	return err
}

func (s *Source) queueFrames(frames []xdr.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	d := xdr.NewDecoder(xdr.MaxSize, time.Now)
	var c change.Change
	for i, f := range frames {
		if err := d.Decode(f, &c); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		s.queue(item{digest: c.Digest, message: &message{frame: f, version: VersionOf(&c)}})
	}
	return nil
}

// Inject ships a frame, malformed or not, once, on the connection of partition. Whatever
// the reply is, and even if the connection breaks, it is not shipped again.
func (s *Source) Inject(frame []byte, partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	digest := change.Digest{byte(partition), byte(partition >> 8)}
	s.queue(item{digest: digest, message: &message{frame: frame, version: Version{Digest: digest}, once: true}})
}

// begin initializes s at the first call.
func (s *Source) begin() {
	if s.connections != nil {
		return
	}
	s.changed = sync.NewCond(&s.mu)
	s.namespaces = map[string]*namespace{}
	s.disturber = newDisturber(s.Faults)
	for _, address := range append([]string{s.Address}, s.Others...) {
		var all []*connection
		for range max(s.Connections, 1) {
			all = append(all, newConnection(s, address))
		}
		s.connections = append(s.connections, all)
	}
}

func or[T int | time.Duration](value, absent T) T {
	if value > 0 {
		return value
	}
	return absent
}

func (s *Source) clock() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Source) window() int               { return or(s.Window, 1000) }
func (s *Source) retryAfter() time.Duration { return or(s.RetryAfter, 100*time.Millisecond) }
func (s *Source) ackTimeout() time.Duration { return or(s.AckTimeout, 15*time.Second) }

// Stats returns the counts so far.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	oldest := s.clock().UnixMilli()
	now := oldest
	note := func(i item) {
		if i.lut > 0 {
			oldest = min(oldest, i.lut)
		}
	}
	for _, connections := range s.connections {
		for _, c := range connections {
			stats.InQueue += c.queue.len()
			stats.InProgress += len(c.inFlight)
			for _, l := range c.queue.partitions {
				for _, i := range l.all() {
					note(i)
				}
			}
			for _, sh := range c.inFlight {
				note(sh.item)
			}
		}
	}
	stats.Lag = time.Duration(now-oldest) * time.Millisecond
	return stats
}

// queue queues i on the connection of its record.
func (s *Source) queue(i item) {
	c := s.connectionOf(i.digest)
	if c.queue.add(i) {
		s.pending++
		c.signal()
	}
}

// connectionOf returns the connection that ships a record. The digest decides the
// connector, though not by the server's function, and the partition the connection.
// Connectors that cannot be reached are left out unless all are.
func (s *Source) connectionOf(d change.Digest) *connection {
	index := d.Partition() % len(s.connections[0])
	if len(s.connections) == 1 {
		return s.connections[0][index]
	}
	var up, all []*connection
	for _, connections := range s.connections {
		c := connections[index]
		all = append(all, c)
		if !c.down {
			up = append(up, c)
		}
	}
	if len(up) == 0 {
		up = all
	}
	return up[binary.BigEndian.Uint64(d[12:])%uint64(len(up))]
}

// wait returns how long i has to wait before it is shipped.
func (s *Source) wait(i *item, now time.Time) time.Duration {
	if i.record != nil && s.HotKey > 0 {
		if cool := i.record.sent.Add(s.HotKey); cool.After(now) && cool.After(i.after) {
			s.stats.HotKeys++
			i.after = cool
		}
	}
	return i.after.Sub(now)
}

// frame returns the message of i, with the record as it is now, and the version that it
// makes. It is nil if there is nothing to ship, and then the error says whether the record
// cannot be shipped.
func (s *Source) frame(i *item, now time.Time) (xdr.Frame, Version, error) {
	if i.message != nil {
		return i.message.frame, i.message.version, nil
	}
	r := i.record
	if r.gone {
		return nil, Version{}, nil
	}
	r.sent = now
	frame, err := s.Policy.message(r, *r.now, s.clock())
	return frame, VersionOf(r.now), err
}

// drop counts a change that is not shipped.
func (s *Source) drop(err error) {
	if err == nil {
		s.stats.NotFound++
	} else {
		s.abandon(err)
	}
	s.done()
}

// acknowledged records that a connector has a version of r, and queues what faults ask for.
func (s *Source) acknowledged(r *record, v Version) {
	r.shared = max(r.shared, v.LUT)
	if v.Op == change.Delete && v.LUT == r.now.LUT {
		r.gone = true
	}
	s.disturb(r)
}

// disturb queues what faults add after a record is acknowledged.
func (s *Source) disturb(r *record) {
	d, digest := s.disturber, r.now.Digest
	if d.happens(d.Again) {
		s.queue(item{digest: digest, record: r, lut: r.now.LUT})
	}
	if r.before != nil && d.happens(d.Stale) {
		s.shipStale(r)
	}
	if frame := d.malformed(); frame != nil {
		s.queue(item{digest: digest, message: &message{frame: frame, version: Version{Digest: digest}, once: true}})
	}
}

// shipStale queues the version before the current one, on the connection after that of the
// record.
func (s *Source) shipStale(r *record) {
	frame, err := s.Policy.message(r, *r.before, s.clock())
	if err != nil {
		s.abandon(err)
		return
	}
	connections := s.connections[0]
	c := connections[(r.now.Digest.Partition()+1)%len(connections)]
	c.queue.add(item{digest: r.now.Digest, message: &message{frame: frame, version: VersionOf(r.before)}})
	s.pending++
	s.stats.Stale++
	c.signal()
}

// abandon counts a change that is dropped.
func (s *Source) abandon(err error) {
	s.stats.Abandoned++
	if s.abandoned == nil {
		s.abandoned = err
	}
}

// done counts a change that is no longer pending.
func (s *Source) done() {
	if s.pending--; s.pending == 0 {
		s.changed.Broadcast()
	}
}
