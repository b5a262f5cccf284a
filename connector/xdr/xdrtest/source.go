// Package xdrtest plays the part of an Aerospike node: a [Source] holds records
// and ships their changes to connectors over XDR, with the habits and the
// accidents of a real one, and the functions of this package read messages from
// files. It serves tests, and everyone who wants to see a connector work without a
// database.
package xdrtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Source ships changes as a node does. It opens the connections, when there is
// something to ship, and sends nothing but requests, many of them before the first
// reply. What changed waits in a queue for its partition, as a digest: the record
// is read when it is shipped. A partition keeps to one connection, and a record
// has one request in flight there. Replies are matched by position. What was
// answered with a retry or lost with its connection is shipped again, and the
// source never gives up.
//
// The fields are set before the first method is called. Methods may be called by
// several goroutines at once.
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

	Policy   Policy
	Mischief Mischief

	// Answered is told of every reply, by several goroutines at once; may be nil.
	Answered func(Reply)

	mu        sync.Mutex
	changed   *sync.Cond // pending became 0
	records   map[change.Digest]*record
	links     [][]*link // of each connector
	random    *rand.Rand
	pending   int // changes that wait or are in flight
	stats     Stats
	abandoned error // the first, if any
}

// Version is what identifies a change.
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

// Reply is a connector's answer to one request.
type Reply struct {
	Version
	Code xdr.Code
	Took time.Duration // from the request's being written
}

// Run ships what there is and what is still to come, until ctx ends.
func (s *Source) Run(ctx context.Context) {
	s.mu.Lock()
	s.begin()
	s.mu.Unlock()
	var running sync.WaitGroup
	for _, links := range s.links {
		for _, l := range links {
			running.Go(func() { l.run(ctx) })
		}
	}
	running.Wait()
}

// Settle returns when every change so far was answered with success. It is an
// error when one was abandoned, or when ctx ends first.
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

// Play ships frames as they are, beside what else there is, and returns as Settle
// does.
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
		s.queue(item{digest: c.Digest, frame: f, version: VersionOf(&c)})
	}
	return nil
}

// Inject ships a message, whatever it is, as one of partition. All that it asks
// for is a reply, or the end of the connection: it is not shipped again.
func (s *Source) Inject(message []byte, partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	digest := change.Digest{byte(partition), byte(partition >> 8)}
	s.queue(item{digest: digest, frame: message, version: Version{Digest: digest}, once: true})
}

// begin makes the source ready, once.
func (s *Source) begin() {
	if s.links != nil {
		return
	}
	s.changed = sync.NewCond(&s.mu)
	s.records = map[change.Digest]*record{}
	s.random = rand.New(rand.NewPCG(s.Mischief.Seed, 0)) //nolint:gosec // it must be repeatable
	for _, address := range append([]string{s.Address}, s.Others...) {
		var links []*link
		for range max(s.Connections, 1) {
			links = append(links, newLink(s, address))
		}
		s.links = append(s.links, links)
	}
}

func or[T int | time.Duration](value, absent T) T {
	if value > 0 {
		return value
	}
	return absent
}

func (s *Source) window() int               { return or(s.Window, 1000) }
func (s *Source) retryAfter() time.Duration { return or(s.RetryAfter, 100*time.Millisecond) }
func (s *Source) ackTimeout() time.Duration { return or(s.AckTimeout, 15*time.Second) }
