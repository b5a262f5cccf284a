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

// link is one connection to a connector, again and again, and what it has to
// ship. All but its source, address and wake is guarded by the source.
type link struct {
	source  *Source
	address string
	wake    chan struct{} // has room for one signal: look again

	down     bool // the last attempt to connect failed
	answered bool // since the connection was made
	queue    queue
	inFlight []shipment
	busy     map[change.Digest]bool // records in flight
}

// shipment is a request without a reply.
type shipment struct {
	item
	sent time.Time
}

func newLink(s *Source, address string) *link {
	return &link{source: s, address: address, wake: make(chan struct{}, 1), busy: map[change.Digest]bool{}}
}

func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run connects as often as it takes, until ctx ends. After the first break it
// tries again at once, then ever more slowly.
func (l *link) run(ctx context.Context) {
	pause := time.Duration(0)
	for l.waitForWork(ctx); ctx.Err() == nil; {
		conn, err := l.dial(ctx)
		if err == nil {
			l.reached()
			l.use(ctx, conn)
		}
		if l.broken(err) {
			pause = 0
		} else {
			wait(ctx, pause)
			pause = min(max(2*pause, l.source.retryAfter()), 10*l.source.retryAfter())
		}
		if err == nil {
			l.waitForWork(ctx)
		}
	}
}

func (l *link) dial(ctx context.Context) (net.Conn, error) {
	if l.source.TLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", l.address)
	}
	return (&tls.Dialer{Config: l.source.TLS}).DialContext(ctx, "tcp", l.address)
}

// waitForWork returns when there is something to ship, or ctx has ended.
func (l *link) waitForWork(ctx context.Context) {
	for ctx.Err() == nil && l.waiting() == 0 {
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

func (l *link) waiting() int {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	return len(l.queue.turns)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (l *link) reached() {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	l.down, l.answered = false, false
}

// broken takes back what was in flight, and leaves everything to the other
// connectors when this one cannot be reached. It returns true when the connection
// was of use.
func (l *link) broken(unreachable error) bool {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lost := range slices.Backward(l.inFlight) {
		s.stats.RetryConnReset++
		l.again(lost.item)
	}
	l.inFlight = nil
	clear(l.busy)
	if l.down = unreachable != nil; l.down {
		for _, i := range l.queue.empty() {
			s.pending--
			s.queue(i)
		}
	}
	return l.answered
}

// again puts back what has to be shipped again.
func (l *link) again(i item) {
	if i.once || !l.queue.putBack(i) {
		l.source.done()
	}
}

// use ships over conn until it breaks or ctx ends.
func (l *link) use(ctx context.Context, conn net.Conn) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.read(conn)
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what is lost is shipped again
	defer func() {
		stop()
		_ = conn.Close() // the same
		<-ended
	}()
	for ctx.Err() == nil {
		frames, next, err := l.burst(time.Now())
		if err != nil || l.source.write(conn, frames) != nil {
			return
		}
		if l.source.Period > 0 {
			next = l.source.Period
		}
		select {
		case <-ended:
			return
		case <-time.After(next):
		case <-l.wakes():
		}
	}
}

// wakes is nil for a link that ships at its own pace.
func (l *link) wakes() <-chan struct{} {
	if l.source.Period > 0 {
		return nil
	}
	return l.wake
}

var errNoReply = errors.New("no reply in time")

// burst puts in flight what may be, and says when to look again at the latest.
func (l *link) burst(now time.Time) (frames []xdr.Frame, next time.Duration, err error) {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	next = s.ackTimeout() / 4
	if len(l.inFlight) > 0 && now.Sub(l.inFlight[0].sent) >= s.ackTimeout() {
		return nil, 0, fmt.Errorf("connector %s: %w", l.address, errNoReply)
	}
	items := l.queue.take(s.window()-len(l.inFlight), func(i *item) bool {
		if left := s.tooEarly(i, now); left > 0 {
			next = min(next, left)
			return false
		}
		if l.busy[i.digest] {
			return false
		}
		l.busy[i.digest] = true
		return true
	})
	for _, i := range items {
		frame, err := s.frame(&i, now)
		if frame == nil {
			delete(l.busy, i.digest)
			s.drop(err)
			continue
		}
		l.inFlight = append(l.inFlight, shipment{i, now})
		s.stats.BytesShipped += len(frame)
		frames = append(frames, frame)
	}
	return frames, next, nil
}

// tooEarly returns how long i still has to wait.
func (s *Source) tooEarly(i *item, now time.Time) time.Duration {
	if r := s.records[i.digest]; r != nil && i.frame == nil {
		if cool := r.sent.Add(s.HotKey); cool.After(now) && cool.After(i.after) {
			s.stats.HotKeys++
			i.after = cool
		}
	}
	return i.after.Sub(now)
}

// frame returns the message of i, of a record as it is now. It is nil when there
// is nothing left to ship, or when the record cannot be shipped.
func (s *Source) frame(i *item, now time.Time) (xdr.Frame, error) {
	if i.frame != nil {
		return i.frame, nil
	}
	r := s.records[i.digest]
	if r.gone {
		return nil, nil
	}
	r.sent = now
	i.version = VersionOf(&r.now)
	return s.Policy.message(r, r.now)
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
