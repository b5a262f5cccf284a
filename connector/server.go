// Package connector takes what a database ships over XDR, sends each change to its
// destinations, and replies to the database when the change's verdict is known.
//
//	┌──────┐   ┌────────┐   ┌───────┐   ┌────────┐   ┌─────────┐
//	│ xdr  │──▶│ change │──▶│ route │──▶│ format │──▶│ deliver │──▶ HTTP
//	└──────┘   └────────┘   └───────┘   └────────┘   └─────────┘
//	  frame                  where to     bytes          │
//	    ▲                                                │
//	    └───────────────── reply ◀── verdict ◀───────────┘
//
// A change takes these steps, each in the file named after its type:
//
//  1. [Server.Serve] accepts connections; each is a session with a reader and a writer.
//  2. The reader reads a frame (xdr.Reader.Next), waits until there is room among the
//     changes in flight, and takes a slot: the frame's place in the order of replies.
//  3. It decodes the metadata (xdr.Decoder.Metadata) and looks up the set's [Pipeline]
//     (route.Levels.Of).
//  4. It decodes the bins, transforms them (route.Transform.Apply) and encodes the change
//     (format.Format.Append), unless the pipeline passes XDR messages through.
//  5. With record ordering it claims the version (ordering). Then it gives the change to
//     each destination ([deliver.Destination.Send]).
//  6. The slot takes the verdicts ([change.Recipient]); a change that can never be
//     delivered becomes a dead letter.
//  7. The writer replies to the slots that have their verdict, in order.
//
// XDR matches replies to requests by position, so a session replies in the order in which
// frames came, while verdicts arrive in any order. A frame that has no verdict within
// [Budget] gets a retry reply: nothing is lost, since the database ships it again. Only
// what the destinations have accepted, or what is safe as a dead letter, is answered with
// OK.
//
// The package knows neither YAML nor Google.
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

// Budget is how long a change may take from its frame's arrival to its reply. XDR itself
// waits 10 s; the rest is for the way there and back.
const Budget = 9 * time.Second

// Config configures a [Server].
type Config struct {
	Pipelines route.Levels[Pipeline]

	MaxRecords      int // changes in flight, in all sessions
	MaxBytes        int // of changes in flight, as frames and as encoded
	MaxMessageBytes int // the largest XDR message that is decoded
	ReceiveBuffer   int // of a connection, in bytes; 0 is the system's default

	Budget       time.Duration // 0 is the constant Budget
	DrainTimeout time.Duration // for what is in flight when the server stops

	// ConnectionTTL is about how long an XDR connection lasts; 0 is for ever.
	ConnectionTTL time.Duration

	// OrderingBytes bounds the memory of record ordering.
	OrderingBytes int

	// DeadLetters stores what can never be delivered. If it is nil, the database ships
	// that again and again.
	DeadLetters DeadLetters

	Now func() time.Time // base of expiry times; nil is time.Now

	Metrics *Metrics
	Logger  *slog.Logger
}

// Pipeline is what happens to the changes of a set. Without destinations they are skipped.
type Pipeline struct {
	Transform    *route.Transform // nil leaves the bins unchanged
	Format       format.Format
	Stream       *deliver.Stream
	Destinations []*deliver.Destination
	Ordering     *route.Ordering // nil sends versions of a record as they come
}

// passesThrough reports whether a change is sent as the XDR message that it came as.
func (p *Pipeline) passesThrough() bool {
	_, xdr := p.Format.(raw.Format)
	return xdr && p.Transform == nil
}

// longestTTL returns the longest TTL of record ordering in levels, 0 if there is none.
func longestTTL(levels route.Levels[Pipeline]) time.Duration {
	var ttl time.Duration
	route.Map(levels, func(p Pipeline) struct{} {
		if p.Ordering != nil {
			ttl = max(ttl, p.Ordering.TTL)
		}
		return struct{}{}
	})
	return ttl
}

// Server serves XDR connections.
type Server struct {
	config    Config
	metrics   *Metrics
	log       *logLimiter
	inFlight  *inFlight
	ordering  *ordering
	delivered *delivered
	ready     atomic.Bool // connections are accepted

	mu       sync.Mutex
	sessions map[*session]struct{}
	stopping bool
	running  sync.WaitGroup // sessions
}

// New returns a Server. It does not own the destinations: the caller closes them.
func New(c Config) *Server {
	if c.Budget == 0 {
		c.Budget = Budget
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{
		config:    c,
		metrics:   c.Metrics,
		log:       newLogLimiter(c.Logger),
		inFlight:  newInFlight(c.MaxRecords, c.MaxBytes),
		ordering:  newOrdering(longestTTL(c.Pipelines), c.OrderingBytes),
		delivered: newDelivered(maxDelivered),
		sessions:  map[*session]struct{}{},
	}
	c.Metrics.watch(s)
	return s
}

// Serve accepts connections on the listeners until ctx ends or a listener fails. Then it
// reads no more, waits at most DrainTimeout for the replies to what is in flight, and
// closes all connections and listeners. The end of ctx is not an error.
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

// accept starts a session for each connection. It goes on after temporary errors, such as
// too many open files.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	const maxPause = time.Second
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
				pause = min(2*pause, maxPause)
			case <-ctx.Done():
			}
		}
	}
}

func (s *Server) start(conn net.Conn) {
	inner := conn
	if secure, ok := conn.(*tls.Conn); ok {
		inner = secure.NetConn()
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

// drain stops all sessions, and closes the connections of those that take too long.
func (s *Server) drain() {
	s.inFlight.close()
	s.each(func(ss *session) { ss.stop() })
	late := time.AfterFunc(s.config.DrainTimeout, func() {
		s.each(func(ss *session) {
			s.log.warn("closing connection: its changes took longer than the drain timeout", "remote", ss.remote)
			ss.abandon()
		})
	})
	defer late.Stop()
	s.running.Wait()
}

// each calls do for all sessions, and marks the server as stopping.
func (s *Server) each(do func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for ss := range s.sessions {
		do(ss)
	}
}
