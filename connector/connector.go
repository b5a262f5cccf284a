// Package connector is the corridor between the rooms: it takes what a database
// ships over XDR, walks each change through them, and answers the database when
// the change's verdict is known.
//
//	┌──────┐   ┌────────┐   ┌───────┐   ┌────────┐   ┌─────────┐
//	│ xdr  │──▶│ change │──▶│ route │──▶│ format │──▶│ deliver │──▶ HTTP
//	└──────┘   └────────┘   └───────┘   └────────┘   └─────────┘
//	  frame      a fact      where to     bytes          │
//	    ▲                                                │
//	    └───────────────── reply ◀── verdict ◀───────────┘
//
// XDR matches replies to requests by their position, so a session answers in the
// order in which frames came, while verdicts land in any. A frame that has no
// verdict within [Budget] is answered with a retry: nothing is lost by that, for
// the database ships it again. Nothing is answered with OK that a destination has
// not accepted.
//
// The corridor knows neither YAML nor Google.
package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

// Budget is how long a change may take from its frame's arrival to its reply. XDR
// itself waits 10 s; the rest is for the way there and back.
const Budget = 9 * time.Second

// Config is what a [Server] is built from.
type Config struct {
	Treatments route.Levels[Treatment]

	MaxRecords      int // changes in flight in all sessions
	MaxBytes        int // of changes in flight, as frames and as encoded
	MaxMessageBytes int // the largest XDR message that is read
	ReceiveBuffer   int // of a connection, in bytes; 0 leaves it to the system

	Budget       time.Duration // 0 means the constant Budget
	DrainTimeout time.Duration // for what is in flight when the server stops

	// ConnectionTTL is after about how long an XDR connection is ended; 0 never.
	ConnectionTTL time.Duration

	// OrderingBytes bounds the memory of record ordering.
	OrderingBytes int

	// DeadLetters keeps what can never be delivered. Nil leaves that to the
	// database, which ships it again and again.
	DeadLetters DeadLetters

	Now func() time.Time // that expiry times are counted from; nil means time.Now

	Metrics *Metrics
	Logger  *slog.Logger
}

// Treatment is what happens to a change. Without destinations it is skipped.
type Treatment struct {
	Transform    *route.Transform // nil leaves the bins as they are
	Format       format.Format
	Stream       *deliver.Stream
	Destinations []*deliver.Destination
	Ordering     *route.Ordering // nil sends versions of a record as they come
}

// passes reports whether a change goes on as the message that it came as.
func (t *Treatment) passes() bool {
	_, xdr := t.Format.(raw.Format)
	return xdr && t.Transform == nil
}

// longestTTL returns that of the orderings in levels, 0 when there is none.
func longestTTL(levels route.Levels[Treatment]) time.Duration {
	var ttl time.Duration
	route.Map(levels, func(t Treatment) struct{} {
		if t.Ordering != nil {
			ttl = max(ttl, t.Ordering.TTL)
		}
		return struct{}{}
	})
	return ttl
}

// Server serves XDR connections.
type Server struct {
	config  Config
	metrics *Metrics
	log     *bursts
	bounds  *bounds
	order   *order
	repeats *repeats
	ready   atomic.Bool

	mu       sync.Mutex
	sessions map[*session]struct{}
	stopping bool
	running  sync.WaitGroup // of sessions
}

// New returns a Server. It owns none of the destinations.
func New(c Config) *Server {
	if c.Budget == 0 {
		c.Budget = Budget
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{
		config:   c,
		metrics:  c.Metrics,
		log:      newBursts(c.Logger),
		bounds:   newBounds(c.MaxRecords, c.MaxBytes),
		order:    newOrder(longestTTL(c.Treatments), c.OrderingBytes),
		repeats:  newRepeats(mostRepeats),
		sessions: map[*session]struct{}{},
	}
	c.Metrics.watch(s)
	return s
}

// Serve accepts connections on listeners until ctx ends or a listener fails. Then
// it reads no more, lets what is in flight get its reply for at most
// DrainTimeout, and closes every connection and listener. The end of ctx is not an
// error.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var accepting sync.WaitGroup
	failures := make([]error, len(listeners))
	for i, l := range listeners {
		accepting.Go(func() {
			defer stop()
			failures[i] = s.accept(ctx, l)
		})
	}
	s.ready.Store(true)
	<-ctx.Done()
	s.ready.Store(false)
	for _, l := range listeners {
		_ = l.Close() // nothing was written to it
	}
	accepting.Wait()
	s.drain()
	return errors.Join(failures...)
}

// accept starts a session for every connection. It goes on after errors that
// pass, such as too many open files.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	const longestPause = time.Second
	pause := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.start(conn)
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the listener was closed because ctx ended
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept XDR connections on %s: %w", l.Addr(), err)
		default:
			s.log.warn("accept failed, trying again", "address", l.Addr().String(), "error", err)
			select {
			case <-time.After(pause):
				pause = min(2*pause, longestPause)
			case <-ctx.Done():
			}
		}
	}
}

func (s *Server) start(conn net.Conn) {
	inner := conn
	if covered, ok := conn.(*tls.Conn); ok {
		inner = covered.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok && s.config.ReceiveBuffer > 0 {
		if err := tcp.SetReadBuffer(s.config.ReceiveBuffer); err != nil {
			s.log.warn("socket receive buffer not set", "remote", conn.RemoteAddr().String(), "error", err)
		}
	}
	ss := newSession(s, conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[ss] = struct{}{}
	if s.stopping {
		ss.stop()
	}
	s.running.Go(func() {
		s.metrics.opened()
		ss.run()
		s.metrics.ended()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, ss)
	})
}

// drain ends all sessions, those that take too long with their connections.
func (s *Server) drain() {
	s.bounds.close()
	s.each(func(ss *session) { ss.stop() })
	late := time.AfterFunc(s.config.DrainTimeout, func() {
		s.each(func(ss *session) {
			s.log.warn("connection cut: its changes took longer than the drain timeout", "remote", ss.remote)
			ss.giveUp()
		})
	})
	defer late.Stop()
	s.running.Wait()
}

func (s *Server) each(do func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for ss := range s.sessions {
		do(ss)
	}
}
