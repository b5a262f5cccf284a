package xdrtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// connection is a connection to a connector, which is made again when it breaks, and what
// it has to ship. The mutex of the source guards all fields but source, address and wake.
type connection struct {
	source  *Source
	address string
	wake    chan struct{} // buffered; receives when there may be something to ship

	down     bool // the last attempt to connect failed
	answered bool // a reply came since the connection was made
	queue    queue
	inFlight []shipment
	busy     map[change.Digest]bool // records in flight
}

// shipment is a request without a reply.
type shipment struct {
	item
	version Version
	sent    time.Time
}

func newConnection(s *Source, address string) *connection {
	return &connection{source: s, address: address, wake: make(chan struct{}, 1), busy: map[change.Digest]bool{}}
}

func (c *connection) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run connects, ships and reconnects until ctx ends. It reconnects at once after a
// connection that brought replies, else after growing pauses.
func (c *connection) run(ctx context.Context) {
	pause := time.Duration(0)
	for c.waitForWork(ctx); ctx.Err() == nil; {
		conn, err := c.dial(ctx)
		if err == nil {
			c.connected()
			c.ship(ctx, conn)
		}
		if c.disconnected(err) {
			pause = 0
		} else {
			wait(ctx, pause)
			pause = min(max(2*pause, c.source.retryAfter()), 10*c.source.retryAfter())
		}
		if err == nil {
			c.waitForWork(ctx)
		}
	}
}

func (c *connection) dial(ctx context.Context) (net.Conn, error) {
	if c.source.TLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", c.address)
	}
	return (&tls.Dialer{Config: c.source.TLS}).DialContext(ctx, "tcp", c.address)
}

// waitForWork returns when there is something to ship, or ctx has ended.
func (c *connection) waitForWork(ctx context.Context) {
	for ctx.Err() == nil && c.waiting() == 0 {
		select {
		case <-c.wake:
		case <-ctx.Done():
		}
	}
}

func (c *connection) waiting() int {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	return len(c.queue.turns)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (c *connection) connected() {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	c.down, c.answered = false, false
}

// disconnected queues again what was in flight. If the connector cannot be reached, all of
// the queue goes to the other connectors. It reports whether the connection brought a
// reply.
func (c *connection) disconnected(unreachable error) bool {
	s := c.source
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lost := range slices.Backward(c.inFlight) {
		s.stats.RetryConnReset++
		c.requeue(lost.item)
	}
	c.inFlight = nil
	clear(c.busy)
	if c.down = unreachable != nil; c.down {
		for _, i := range c.queue.drain() {
			s.pending--
			s.queue(i)
		}
	}
	return c.answered
}

// requeue queues i to be shipped again.
func (c *connection) requeue(i item) {
	if i.message != nil && i.message.once || !c.queue.addFirst(i) {
		c.source.done()
	}
}

// ship ships over conn until it breaks or ctx ends.
func (c *connection) ship(ctx context.Context, conn net.Conn) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.readReplies(conn)
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // requests in flight are shipped again
	defer func() {
		stop()
		_ = conn.Close() // the same
		<-ended
	}()
	for ctx.Err() == nil {
		frames, next, err := c.burst(time.Now())
		if err != nil || c.source.disturber.write(conn, frames) != nil {
			return
		}
		if c.source.Period > 0 {
			next = c.source.Period
		}
		select {
		case <-ended:
			return
		case <-time.After(next):
		case <-c.wakes():
		}
	}
}

// wakes returns nil if the source ships in bursts at intervals.
func (c *connection) wakes() <-chan struct{} {
	if c.source.Period > 0 {
		return nil
	}
	return c.wake
}

var errNoReply = errors.New("no reply in time")

// burst returns the messages to send now, which are then in flight, and when to call it
// again at the latest.
func (c *connection) burst(now time.Time) (frames []xdr.Frame, next time.Duration, err error) {
	s := c.source
	s.mu.Lock()
	defer s.mu.Unlock()
	next = s.ackTimeout() / 4
	if len(c.inFlight) > 0 && now.Sub(c.inFlight[0].sent) >= s.ackTimeout() {
		return nil, 0, fmt.Errorf("connector %s: %w", c.address, errNoReply)
	}
	items := c.queue.take(s.window()-len(c.inFlight), func(i *item) bool {
		if left := s.wait(i, now); left > 0 {
			next = min(next, left)
			return false
		}
		if c.busy[i.digest] {
			return false
		}
		c.busy[i.digest] = true
		return true
	})
	for _, i := range items {
		frame, version, err := s.frame(&i, now)
		if frame == nil {
			delete(c.busy, i.digest)
			s.drop(err)
			continue
		}
		c.inFlight = append(c.inFlight, shipment{i, version, now})
		s.stats.BytesShipped += len(frame)
		frames = append(frames, frame)
	}
	return frames, next, nil
}

// readReplies reads replies until the connection ends or something else comes.
func (c *connection) readReplies(conn net.Conn) {
	defer func() { _ = conn.Close() }() // requests without a reply are shipped again
	for replies := xdr.NewReader(conn, xdr.MaxSize); ; {
		f, err := replies.Next()
		if err != nil {
			return
		}
		code, err := xdr.ParseReply(f)
		if err != nil {
			return
		}
		r, err := c.reply(code)
		if err != nil {
			return
		}
		if c.source.Answered != nil {
			c.source.Answered(r)
		}
		c.signal()
	}
}

var errSurplus = errors.New("reply without a request")

// reply matches a reply to the oldest request in flight.
func (c *connection) reply(code xdr.Code) (Reply, error) {
	s := c.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.inFlight) == 0 {
		return Reply{}, errSurplus
	}
	sh := c.inFlight[0]
	c.inFlight = c.inFlight[1:]
	c.answered = true
	delete(c.busy, sh.digest)
	switch {
	case sh.message != nil && sh.message.once:
		s.stats.Injected++
		s.done()
	case code.Done():
		s.stats.Success++
		if sh.record != nil {
			s.acknowledged(sh.record, sh.version)
		}
		s.done()
	case code.Retry():
		s.stats.RetryDest++
		sh.after = time.Now().Add(s.retryAfter())
		c.requeue(sh.item)
	default:
		s.abandon(fmt.Errorf("record %s: abandoned after a reply with code %d", sh.digest, code))
		s.done()
	}
	return Reply{sh.version, code, time.Since(sh.sent)}, nil
}
