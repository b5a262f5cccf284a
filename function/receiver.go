package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/problem"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/store"
)

// Receiver is the HTTP handler that makes changes durable. It opens its sinks when it first
// needs them, and tries again with each request after a failure.
type Receiver struct {
	environment settings.Environment
	log         *slog.Logger
	project     projectName
	metrics     *metrics
	readiness   readinessLog
	unfenced    unfencedLog

	entry   atomic.Pointer[entry] // nil until the first request
	ready   atomic.Pointer[ready] // nil until all sinks are open
	opening singleflight.Group

	mu      sync.Mutex
	partial *ready // with the sinks that are open so far; nil until the environment was read
}

// entry authorizes a request and reads its body.
type entry struct {
	guard  intake.Guard
	reader *intake.Reader
}

// ready has what a request needs once its body was read.
type ready struct {
	settings settings.Settings
	store    *store.Store
}

// New returns a Receiver that reads its settings from the environment on first need.
func New(e settings.Environment, log *slog.Logger) *Receiver {
	r := &Receiver{environment: e, log: log, project: projectName{environment: e}}
	r.metrics = newMetrics()
	r.metrics.watch(r)
	return r
}

// Metrics returns a handler that serves the metrics of the Receiver, of its sinks and of the
// process to Prometheus.
func (r *Receiver) Metrics() http.Handler { return r.metrics.handler() }

// Gatherer returns the metrics of the Receiver and of its sinks, for other outputs.
func (r *Receiver) Gatherer() prometheus.Gatherer { return r.metrics.registry }

// Open reads the environment, opens the sinks that are not open yet, and reads the secret with
// tokens, if there is one. Requests do that themselves; a server calls Open first to report
// errors at once.
func (r *Receiver) Open() error {
	if in, err := r.enter(); err == nil { // openAll reports the error too
		in.guard.Open(context.Background())
	}
	_, err := r.open(context.Background())
	return err
}

// open returns the settings and the store, whose sinks it opens on first need. Concurrent
// requests wait for the same attempt. After a failure the next request tries again.
func (r *Receiver) open(ctx context.Context) (*ready, error) {
	if a := r.ready.Load(); a != nil {
		return a, nil
	}
	opened := r.opening.DoChan("", func() (any, error) { return nil, r.openAll() })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("open sinks: %w", ctx.Err())
	case result := <-opened:
		return r.ready.Load(), result.Err
	}
}

// openAll opens the sinks that are not open yet. It does not use a request's context, because
// the sinks outlive the request.
func (r *Receiver) openAll() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partial == nil {
		s, err := r.environment.Load(sink.Options{Log: os.Stdout, Metrics: r.metrics.registry})
		if err != nil {
			return fmt.Errorf("environment: %w", err)
		}
		r.partial = &ready{s, store.New(store.Config{Sinks: s.Sinks, DeadLetters: s.DeadLetters, Fence: s.Fence})}
	}
	if err := r.partial.store.Open(context.Background()); err != nil {
		return err
	}
	r.ready.Store(r.partial)
	return nil
}

// Close closes the sinks. All requests must have been answered.
func (r *Receiver) Close() error {
	r.project.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.partial == nil {
		return nil
	}
	s := r.partial.store
	r.partial = nil
	r.ready.Store(nil)
	return s.Close()
}

// ServeHTTP answers one request. A POST to / carries changes; endpointOf says what others are
// for.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began, from := time.Now(), originOf(req.Header)
	status := http.StatusInternalServerError
	defer func() { r.metrics.answered(status, began) }()
	defer r.answerPanic(w, req, from)
	o, err := r.serve(w, req, from)
	status = r.answer(w, req, from, o, err)
}

// serve stores the changes of a request and returns their outcome, nil if the request has no
// changes. An error that is not a problem means that the request can be retried.
func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, from origin) (*store.Outcome, error) {
	target, err := endpointOf(req)
	if err != nil || target == healthEndpoint { // a health check needs no token
		return nil, err
	}
	in, err := r.enter()
	if err != nil {
		return nil, err
	}
	if err := in.guard.Admit(req); err != nil {
		return nil, err
	}
	switch target {
	case changesEndpoint:
		if deadletter.IsMarked(req.Header) {
			return r.storeDeadLetter(w, req, in.reader, from)
		}
		return r.store(w, req, in.reader, from)
	case readinessEndpoint:
		_, err := r.open(req.Context())
		return nil, err
	}
	return nil, notFound(req.URL.Path)
}

// store stores the changes in the body of a request.
func (r *Receiver) store(w http.ResponseWriter, req *http.Request, reader *intake.Reader, from origin) (*store.Outcome, error) {
	if req.ContentLength == 0 {
		return nil, nil
	}
	received := time.Now()
	body := reader.Buffer()
	defer body.Free()
	mediaType, to, err := r.read(w, req, reader, body)
	if err != nil || len(body.Bytes()) == 0 {
		return nil, err
	}
	buffer := newChangeBuffer()
	defer buffer.free()
	if err := buffer.parse(to, mediaType, body.Bytes()); err != nil || len(buffer.changes) == 0 {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), to.settings.Timeout)
	defer cancel()
	o := to.store.Put(ctx, store.Request{MediaType: mediaType, ID: from.Request, Received: received},
		sink.Batch{Changes: buffer.changes, TraceParent: from.TraceParent()})
	r.metrics.count(buffer.changes, &o)
	if u := o.Unfenced(); u.Changes > 0 {
		r.unfenced.log(req.Context(), r.log, u)
	}
	return &o, nil
}

// read reads the body of a request, once the sinks are open. It refuses a wrong media type
// before it reads the body, so that a client that waits for the status 100 does not send it.
func (r *Receiver) read(w http.ResponseWriter, req *http.Request, reader *intake.Reader, body *intake.Buffer) (mediaType string, to *ready, err error) {
	if mediaType, err = mediaTypeOf(req); err != nil {
		return "", nil, err
	}
	if to, err = r.open(req.Context()); err != nil {
		return "", nil, err
	}
	if err = reader.Read(w, req, body); err != nil {
		return "", nil, err
	}
	r.metrics.bytes.Observe(float64(len(body.Bytes())))
	return mediaType, to, nil
}

// enter returns the entry, which the first request creates. It reads only the settings that
// the entry needs, so that a client without a token learns nothing about errors in the others.
func (r *Receiver) enter() (*entry, error) {
	if in := r.entry.Load(); in != nil {
		return in, nil
	}
	limits, tokens, err := r.environment.Entry()
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	r.entry.CompareAndSwap(nil, &entry{guard: intake.NewGuard(tokens, r.log), reader: intake.NewReader(limits)})
	return r.entry.Load(), nil
}

// mediaTypeOf returns the request's media type in lower case, without parameters. The error is
// a problem if no format has it.
func mediaTypeOf(req *http.Request) (string, error) {
	header := req.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "", &problem.Problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Type %.80q is not a media type: want %s", header, formats.MediaTypes())}
	}
	if err := formats.CheckMediaType(mediaType); err != nil {
		return "", &problem.Problem{Status: http.StatusUnsupportedMediaType, Detail: err.Error()}
	}
	return mediaType, nil
}

// answer answers a request, logs the problem if there is one, and returns the status.
func (r *Receiver) answer(w http.ResponseWriter, req *http.Request, from origin, o *store.Outcome, err error) int {
	p := problemOf(o, err)
	r.logAnswer(req, p, from)
	prepareConnection(w, req, p)
	switch {
	case p != nil:
		p.Write(w)
		return p.Status
	case o != nil && acceptsJSON(req.Header):
		w.Header().Set("Content-Type", "application/json")
		n, stale := o.Changes(), o.Stale()
		_ = json.NewEncoder(w).Encode(stored{Changes: n, Stored: n - stale, Stale: stale}) // the client may have gone
	default:
		w.WriteHeader(http.StatusOK)
	}
	return http.StatusOK
}

// logAnswer logs why the answer is not a plain 200, and, of probes of readiness, only what is
// new.
func (r *Receiver) logAnswer(req *http.Request, p *problem.Problem, from origin) {
	probe := req.URL.Path == readinessPath
	if p == nil {
		if probe && r.readiness.ready() {
			r.log.LogAttrs(req.Context(), slog.LevelInfo, "ready", slog.String("path", readinessPath))
		}
		return
	}
	notReady := probe && p.Status >= http.StatusInternalServerError
	if notReady && !r.readiness.failed(p.Detail) {
		return
	}
	var attributes []slog.Attr
	if req.Method != http.MethodPost {
		attributes = append(attributes, slog.String("method", fmt.Sprintf("%.20s", req.Method)))
	}
	if probe {
		attributes = append(attributes, slog.String("path", readinessPath))
	}
	attributes = append(attributes, from.attributes(r.project.get())...)
	attributes = append(attributes, slog.Int("status", p.Status), slog.String("error", p.Detail))
	switch {
	case p.Status == http.StatusOK:
		r.log.LogAttrs(req.Context(), slog.LevelWarn, "changes in the dead letters", attributes...)
	case notReady:
		r.log.LogAttrs(req.Context(), slog.LevelWarn, "not ready", attributes...)
	case req.Method != http.MethodPost:
		r.log.LogAttrs(req.Context(), slog.LevelWarn, "request refused", attributes...)
	case p.Status < http.StatusInternalServerError:
		r.log.LogAttrs(req.Context(), slog.LevelWarn, "changes not accepted", attributes...)
	default:
		r.log.LogAttrs(req.Context(), slog.LevelError, "changes not accepted", attributes...)
	}
}

// answerPanic answers a request whose handling panicked, unless it was the panic that closes
// the connection. It must be deferred.
func (r *Receiver) answerPanic(w http.ResponseWriter, req *http.Request, from origin) {
	recovered := recover()
	if recovered == nil {
		return
	}
	if err, ok := recovered.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(recovered)
	}
	logPanic(req.Context(), r.log, recovered, from.attributes(r.project.get()))
	p := &problem.Problem{Status: http.StatusInternalServerError, Detail: "internal error; see the server's log"}
	prepareConnection(w, req, p)
	p.Write(w)
}
