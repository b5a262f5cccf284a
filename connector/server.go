// Package connector receives the changes that a database ships over XDR, sends each to its
// destinations, and replies to the database when the change's verdict is known.
//
//	┌──────┐   ┌────────┐   ┌───────┐   ┌────────┐   ┌─────────┐
//	│ xdr  │──▶│ change │──▶│ route │──▶│ format │──▶│ deliver │──▶ HTTP
//	└──────┘   └────────┘   └───────┘   └────────┘   └─────────┘
//	  frame                  where to     bytes          │
//	    ▲                                                │
//	    └───────────────── reply ◀── verdict ◀───────────┘
//
// A change takes these steps:
//
//  1. [Server.Serve] accepts connections; each is a session with a reader and a writer.
//  2. The reader reads a frame (xdr.Reader.Next), waits while too many changes are in
//     flight, and takes a slot. Slots keep the order of the replies. A change that has
//     waited for longer than the budget since it arrived (timedConn) goes no further.
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
// The package depends on neither YAML nor Google's libraries.
package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/route"
)

// Budget is how long a change may take from its frame's arrival to its reply. XDR waits
// 10 s; the remaining second is for the network.
const Budget = 9 * time.Second

// Config configures a [Server].
type Config struct {
	Pipelines route.Levels[Pipeline]

	// Ports has other Pipelines for what is received on the TCP ports with these numbers.
	Ports map[int]route.Levels[Pipeline]

	// Allow has the networks that connections may come from; nil allows all.
	Allow []netip.Prefix

	MaxRecords      int // changes in flight, in all sessions
	MaxBytes        int // of changes in flight, counting frames and encoded changes
	MaxMessageBytes int // the largest XDR message that is decoded
	ReceiveBuffer   int // of a connection, in bytes; 0 is the system's default

	Budget       time.Duration // 0 means the constant Budget
	DrainTimeout time.Duration // for changes in flight when the server stops

	// ConnectionTTL is about how long an XDR connection lasts; 0 means no limit.
	ConnectionTTL time.Duration

	// OrderingBytes bounds the memory of record ordering.
	OrderingBytes int

	// DeadLetters stores changes that can never be delivered. If it is nil, the database
	// ships them again and again.
	DeadLetters DeadLetters

	Now func() time.Time // base of expiry times; nil means time.Now

	Metrics *Metrics
	Logger  *slog.Logger
}

// Pipeline says how the changes of a set are processed. Without destinations they are
// skipped.
type Pipeline struct {
	Transform    *route.Transform // nil leaves the bins unchanged
	Format       format.Format
	Stream       *deliver.Stream
	Destinations []*deliver.Destination
	Ordering     *route.Ordering // nil sends all versions of a record
}

// passesThrough reports whether changes are sent as XDR messages, unchanged.
func (p *Pipeline) passesThrough() bool {
	_, xdr := p.Format.(raw.Format)
	return xdr && p.Transform == nil
}

// Server serves XDR connections.
type Server struct {
	config    Config
	metrics   *Metrics
	log       *logLimiter
	inFlight  *inFlight
	ports     *ports
	sources   sources
	heartbeat *heartbeat
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
		ports:     newPorts(c),
		sources:   sources{allow: c.Allow},
		heartbeat: newHeartbeat(),
		sessions:  map[*session]struct{}{},
	}
	c.Metrics.watch(s)
	return s
}

// Serve accepts connections on the listeners, for TLS those of [NewTLSListener], until ctx
// ends or a listener fails. Then it stops reading, waits at most DrainTimeout for the
// replies to changes in flight, and closes all connections and listeners. The end of ctx is
// not an error.
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
	accepting.Go(func() { s.heartbeat.run(ctx) })
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
			if s.sources.admits(conn.RemoteAddr()) {
				s.start(conn, s.ports.of(l.Addr()))
			} else {
				s.refuse(conn)
			}
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the listener was closed because ctx ended
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept XDR connections on %s: %w", l.Addr(), err)
		default:
			s.log.warn("accept failed, trying again", err, "address", l.Addr().String(), "error", err)
			select {
			case <-time.After(pause):
				pause = min(2*pause, maxPause)
			case <-ctx.Done():
			}
		}
	}
}

// refuse closes a connection whose source is not allowed.
func (s *Server) refuse(conn net.Conn) {
	_ = conn.Close() // nothing was written to it
	s.metrics.refused.Inc()
	source := sourceOf(conn.RemoteAddr())
	if before, log := s.sources.refuse(source); log {
		s.config.Logger.Warn("connection refused: service.allow does not have its source", "source", source.String(), "refused_before", before)
	}
}

func (s *Server) start(conn net.Conn, p *port) {
	ss := newSession(s, conn, p)
	if tcp, ok := ss.timed.Conn.(*net.TCPConn); ok && s.config.ReceiveBuffer > 0 {
		if err := tcp.SetReadBuffer(s.config.ReceiveBuffer); err != nil {
			s.log.warn("socket receive buffer not set", err, "remote", ss.remote, "error", err)
		}
	}
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
			s.log.warn("closing connection: its changes took longer than the drain timeout", nil, "remote", ss.remote)
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

// Manage returns the handler of the manage port. It serves health, readiness, and the
// metrics of g, at the usual path of Prometheus and at those of ESP.
func (s *Server) Manage(g prometheus.Gatherer) http.Handler {
	metrics := promhttp.HandlerFor(g, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /manage/rest/v1/prometheus", metrics)
	mux.Handle("GET /manage/rest/v1/metrics", jsonMetrics{g})
	alive := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /manage/rest/v1", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not accepting XDR connections", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// jsonMetrics serves metrics as one JSON object with a member for each name:
//
//	{"aerospike_esp_outbound_requests":[{"labels":{"status":"success"},"value":3}],
//	 "aerospike_esp_outbound_requests_total":[{"labels":{},"count":3,"sum":0.5,"quantiles":{"0.5":0.1}}]}
//
// A value that is not a number, such as a quantile without observations, is null.
type jsonMetrics struct{ prometheus.Gatherer }

func (j jsonMetrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	families, err := j.Gather()
	if err != nil {
		http.Error(w, fmt.Sprintf("gather metrics: %v", err), http.StatusInternalServerError)
		return
	}
	document := map[string][]jsonMetric{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			document[f.GetName()] = append(document[f.GetName()], jsonMetricOf(m))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // fails only if the client is gone
}

type jsonMetric struct {
	Labels    map[string]string     `json:"labels"`
	Value     *jsonNumber           `json:"value,omitempty"`
	Count     *uint64               `json:"count,omitempty"`
	Sum       *jsonNumber           `json:"sum,omitempty"`
	Quantiles map[string]jsonNumber `json:"quantiles,omitempty"`
	Buckets   map[string]uint64     `json:"buckets,omitempty"` // cumulative, by upper bound
}

// jsonNumber is a number, null if it is not finite.
type jsonNumber float64

func (n jsonNumber) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

func jsonMetricOf(m *dto.Metric) jsonMetric {
	j := jsonMetric{Labels: map[string]string{}}
	for _, l := range m.GetLabel() {
		j.Labels[l.GetName()] = l.GetValue()
	}
	value := func(f float64) { j.Value = (*jsonNumber)(&f) }
	switch {
	case m.Counter != nil:
		value(m.GetCounter().GetValue())
	case m.Gauge != nil:
		value(m.GetGauge().GetValue())
	case m.Untyped != nil:
		value(m.GetUntyped().GetValue())
	case m.Summary != nil:
		j.sums(m.GetSummary().GetSampleCount(), m.GetSummary().GetSampleSum())
		j.Quantiles = map[string]jsonNumber{}
		for _, q := range m.GetSummary().GetQuantile() {
			j.Quantiles[bound(q.GetQuantile())] = jsonNumber(q.GetValue())
		}
	case m.Histogram != nil:
		j.sums(m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum())
		j.Buckets = map[string]uint64{}
		for _, b := range m.GetHistogram().GetBucket() {
			j.Buckets[bound(b.GetUpperBound())] = b.GetCumulativeCount()
		}
	}
	return j
}

func (j *jsonMetric) sums(count uint64, sum float64) {
	j.Count, j.Sum = &count, (*jsonNumber)(&sum)
}

// bound writes f as a plain decimal.
func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
