// Package xdrtest plays the part of an Aerospike node: a [Source] ships XDR
// messages to a connector over TCP and reads the replies, and the functions of
// this package read messages from files. It serves tests, and everyone who wants
// to see a connector work without a database.
package xdrtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Source ships messages as a node does: it opens the connections, sends nothing
// first but requests, keeps many in flight on each, matches replies by position,
// ships again what was answered with a retry or lost with its connection, and
// never gives up. All messages of a partition take the same connection, and a
// message waits for the one before it that is of the same record.
type Source struct {
	Address     string // of the connector's XDR port
	Connections int    // 0 means 1
	Window      int    // requests in flight on a connection; 0 means 1000

	RetryAfter time.Duration // wait before shipping again; 0 means 100ms
	AckTimeout time.Duration // the oldest request without a reply breaks its connection; 0 means 15s

	mu    sync.Mutex
	stats Stats
}

// Stats counts what a node's get-stats counts.
type Stats struct {
	Success        int
	RetryDest      int // answered with a code that asks for it
	RetryConnReset int // without an answer when the connection broke
	Abandoned      int // answered with a code that makes a node drop the change
}

// Stats returns the counts so far.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Play ships frames and returns when each was answered with success. It is an
// error when one was abandoned, or when ctx ends first.
func (s *Source) Play(ctx context.Context, frames []xdr.Frame) error {
	links, err := s.deal(frames)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(links))
	for i, l := range links {
		wg.Go(func() { errs[i] = l.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// deal gives each connection its partitions' messages.
func (s *Source) deal(frames []xdr.Frame) ([]*link, error) {
	links := make([]*link, max(s.Connections, 1))
	for i := range links {
		links[i] = &link{source: s, busy: map[change.Digest]bool{}}
	}
	d := xdr.NewDecoder(xdr.MaxSize, time.Now)
	var c change.Change
	for i, f := range frames {
		if err := d.Decode(f, &c); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		l := links[c.Digest.Partition()%len(links)]
		l.waiting = append(l.waiting, shipment{f, c.Digest})
	}
	return links, nil
}

func (s *Source) count(c xdr.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Done():
		s.stats.Success++
	case c.Retry():
		s.stats.RetryDest++
	default:
		s.stats.Abandoned++
	}
}

func (s *Source) window() int {
	if s.Window > 0 {
		return s.Window
	}
	return 1000
}

func (s *Source) retryAfter() time.Duration {
	if s.RetryAfter > 0 {
		return s.RetryAfter
	}
	return 100 * time.Millisecond
}

func (s *Source) ackTimeout() time.Duration {
	if s.AckTimeout > 0 {
		return s.AckTimeout
	}
	return 15 * time.Second
}

type shipment struct {
	frame  xdr.Frame
	digest change.Digest
}

// link is one connection and what it has to ship.
type link struct {
	source   *Source
	waiting  []shipment
	inFlight []shipment
	busy     map[change.Digest]bool // digests in flight

	hold      time.Time // after a retry reply nothing is shipped before
	abandoned error     // the first, if any
}

// run connects as often as it takes.
func (l *link) run(ctx context.Context) error {
	for len(l.waiting) > 0 {
		err := l.connect(ctx)
		l.lost()
		if ctx.Err() != nil {
			return errors.Join(l.abandoned, fmt.Errorf("%d messages not shipped: %w", len(l.waiting), errors.Join(ctx.Err(), err)))
		}
		if err != nil {
			l.hold = time.Now().Add(l.source.retryAfter())
			l.pause(ctx)
		}
	}
	return l.abandoned
}

// pause waits until the link may ship again.
func (l *link) pause(ctx context.Context) {
	select {
	case <-time.After(time.Until(l.hold)):
	case <-ctx.Done():
	}
}

// connect ships over one connection until nothing is left or it breaks.
func (l *link) connect(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.source.Address)
	if err != nil {
		return err
	}
	hangUp := func() { _ = conn.Close() } // what was lost is shipped again
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	replies := xdr.NewReader(conn, xdr.MaxSize)
	for len(l.waiting)+len(l.inFlight) > 0 {
		if len(l.inFlight) == 0 {
			l.pause(ctx)
		}
		if err := l.ship(conn); err != nil {
			return err
		}
		if err := l.settle(conn, replies); err != nil {
			return err
		}
	}
	return nil
}

// ship writes what the window has room for, passing over records in flight.
func (l *link) ship(conn net.Conn) error {
	if time.Now().Before(l.hold) {
		return nil
	}
	var burst net.Buffers
	var left []shipment
	for i, s := range l.waiting {
		if len(l.inFlight) >= l.source.window() {
			left = append(left, l.waiting[i:]...)
			break
		}
		if l.busy[s.digest] {
			left = append(left, s)
			continue
		}
		l.busy[s.digest] = true
		l.inFlight = append(l.inFlight, s)
		burst = append(burst, s.frame)
	}
	l.waiting = left
	_, err := burst.WriteTo(conn)
	return err
}

// settle waits for the reply to the oldest request in flight.
func (l *link) settle(conn net.Conn, replies *xdr.Reader) error {
	if len(l.inFlight) == 0 {
		return nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(l.source.ackTimeout())); err != nil {
		return err
	}
	f, err := replies.Next()
	if err != nil {
		return err
	}
	code, err := xdr.ParseReply(f)
	if err != nil {
		return err
	}
	s := l.inFlight[0]
	l.inFlight = l.inFlight[1:]
	delete(l.busy, s.digest)
	l.source.count(code)
	switch {
	case code.Retry():
		l.waiting = append([]shipment{s}, l.waiting...)
		l.hold = time.Now().Add(l.source.retryAfter())
	case !code.Done() && l.abandoned == nil:
		l.abandoned = fmt.Errorf("record %s: a change was abandoned, reply with code %d", s.digest, code)
	}
	return nil
}

// lost puts what was in flight on a broken connection back to the front.
func (l *link) lost() {
	l.source.mu.Lock()
	l.source.stats.RetryConnReset += len(l.inFlight)
	l.source.mu.Unlock()
	l.waiting = append(l.inFlight, l.waiting...)
	l.inFlight = nil
	clear(l.busy)
}
