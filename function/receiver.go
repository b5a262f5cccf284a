package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/aerosink/aerosink/function/sink"
)

// Receiver is the HTTP handler that makes changes durable. It opens its sinks when
// it first needs them, and tries again with each request after it could not.
type Receiver struct {
	getenv   func(string) string
	log      *slog.Logger
	project  projectName
	metrics  *metrics
	entrance atomic.Pointer[entrance] // nil until the first request

	stores  atomic.Pointer[stores] // nil until all are open
	opening singleflight.Group

	mu     sync.Mutex
	partly *stores // those that are open; nil until the environment was read
}

// New returns a Receiver that reads its configuration from getenv on first need.
func New(getenv func(string) string, log *slog.Logger) *Receiver {
	r := &Receiver{getenv: getenv, log: log, project: projectName{getenv: getenv}}
	r.metrics = newMetrics()
	r.metrics.watch(r)
	return r
}

// Metrics returns the handler that shows Prometheus the Receiver's metrics, those of
// its sinks and those of the process.
func (r *Receiver) Metrics() http.Handler { return r.metrics.handler() }

// Open makes the receiver ready: it reads the environment and opens the sinks that
// are not open yet. Requests do it by themselves; a server does it first to learn
// what is wrong.
func (r *Receiver) Open() error {
	_, err := r.ready(context.Background())
	return err
}

// ready returns the stores, which are opened on first need. Requests that come
// meanwhile wait for the same attempt; the next after a failure makes another.
func (r *Receiver) ready(ctx context.Context) (*stores, error) {
	if s := r.stores.Load(); s != nil {
		return s, nil
	}
	opened := r.opening.DoChan("", func() (any, error) { return nil, r.open() })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("open sinks: %w", ctx.Err())
	case result := <-opened:
		return r.stores.Load(), result.Err
	}
}

// open opens what is not open yet. It has no context of a request's: what it opens
// outlives the request that needs it first.
func (r *Receiver) open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partly == nil {
		c, err := parseConfig(r.getenv, sink.Options{Log: os.Stdout, Metrics: r.metrics.registry}, fetchSchema)
		if err != nil {
			return fmt.Errorf("environment: %w", err)
		}
		r.partly = &stores{config: &c, metrics: r.metrics}
	}
	if err := r.partly.open(context.Background()); err != nil {
		return err
	}
	r.stores.Store(r.partly)
	return nil
}

// Close closes the sinks. All requests must have been answered.
func (r *Receiver) Close() error {
	r.project.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partly == nil {
		return nil
	}
	s := r.partly
	r.partly = nil
	r.stores.Store(nil)
	return s.close()
}

// ServeHTTP answers one request. A POST to / brings changes; anything that is not
// a POST is a health check.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began, from := time.Now(), originOf(req.Header)
	status := http.StatusInternalServerError
	defer func() { r.metrics.answered(status, began) }()
	defer r.answerPanic(w, req, from)
	status = r.answer(w, req, from, r.serve(w, req, from))
}

// answer writes the answer that err is, tells the log what is not as it should be,
// and returns the status.
func (r *Receiver) answer(w http.ResponseWriter, req *http.Request, from origin, err error) int {
	if err == nil {
		finish(w, req, nil)
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	}
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}
	}
	r.tell(req.Context(), p, from)
	finish(w, req, p)
	p.write(w)
	return p.Status
}

// tell tells the log why an answer is not a plain 200.
func (r *Receiver) tell(ctx context.Context, p *problem, from origin) {
	attributes := append(from.attributes(r.project.get()), slog.Int("status", p.Status), slog.String("error", p.Detail))
	switch {
	case p.Status == http.StatusOK:
		r.log.LogAttrs(ctx, slog.LevelWarn, "changes in the dead letters", attributes...)
	case p.Status < http.StatusInternalServerError:
		r.log.LogAttrs(ctx, slog.LevelWarn, "changes not accepted", attributes...)
	default:
		r.log.LogAttrs(ctx, slog.LevelError, "changes not accepted", attributes...)
	}
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, from origin) error {
	if isHealthCheck(req) {
		return nil
	}
	in, err := r.enter()
	if err != nil {
		return err
	}
	if err := in.guard.admit(req); err != nil {
		return err
	}
	if req.Method != http.MethodPost {
		return r.health(req)
	}
	if req.URL.Path != "/" {
		return &problem{Status: http.StatusNotFound, Detail: "changes are taken at /"}
	}
	s, err := r.ready(req.Context())
	if err != nil {
		return err
	}
	received := time.Now()
	body := in.intake.buffer()
	defer body.free()
	if err := in.intake.read(w, req, body); err != nil || len(body.bytes()) == 0 {
		return err
	}
	r.metrics.bytes.Observe(float64(len(body.bytes())))
	mediaType, err := mediaTypeOf(req)
	if err != nil {
		return err
	}
	batch := enterRoom()
	defer batch.leave()
	if batch.changes, err = s.parse(mediaType, body.bytes(), batch.changes); err != nil || len(batch.changes) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(req.Context(), s.config.Timeout)
	defer cancel()
	return s.take(ctx, arrival{mediaType: mediaType, id: from.Request, received: received}, sink.Batch{Changes: batch.changes, TraceParent: from.TraceParent()})
}

// health answers whether the process lives and, at /readyz, whether it could take
// changes. It touches no sink.
func (r *Receiver) health(req *http.Request) error {
	if req.URL.Path != "/readyz" {
		return nil
	}
	_, err := r.ready(req.Context())
	return err
}
