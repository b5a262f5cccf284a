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

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Receiver is the HTTP handler that makes changes durable. It opens its sinks when
// it first needs them, and tries again with each request after it could not.
type Receiver struct {
	getenv   func(string) string
	log      *slog.Logger
	project  projectName
	entrance atomic.Pointer[entrance] // nil until the first request

	mu     sync.Mutex
	config *Config
	sinks  []sink.Sink // as many as are open, in the order of config.Sinks
}

// New returns a Receiver that reads its configuration from getenv on first need.
func New(getenv func(string) string, log *slog.Logger) *Receiver {
	return &Receiver{getenv: getenv, log: log, project: projectName{getenv: getenv}}
}

// Open makes the receiver ready: it reads the environment and opens the sinks that
// are not open yet. Requests do it by themselves; a server does it first to learn
// what is wrong.
func (r *Receiver) Open() error {
	_, _, err := r.ready()
	return err
}

func (r *Receiver) ready() (*Config, []sink.Sink, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config == nil {
		c, err := ParseConfig(r.getenv, os.Stdout)
		if err != nil {
			return nil, nil, fmt.Errorf("environment: %w", err)
		}
		r.config = &c
	}
	for _, spec := range r.config.Sinks[len(r.sinks):] {
		// A client outlives the request that needs it first.
		s, err := spec.Open(context.Background())
		if err != nil {
			return nil, nil, err
		}
		r.sinks = append(r.sinks, s)
	}
	return r.config, r.sinks, nil
}

// Close closes the sinks. All requests must have been answered.
func (r *Receiver) Close() error {
	r.project.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, s := range r.sinks {
		errs = append(errs, s.Close())
	}
	r.sinks = nil
	return errors.Join(errs...)
}

// ServeHTTP answers one request. A POST to / brings changes; anything that is not
// a POST is a health check.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	from := originOf(req.Header)
	defer r.answerPanic(w, req, from)
	err := r.serve(w, req, from)
	var p *problem
	switch {
	case err == nil:
		finish(w, req, http.StatusOK)
		w.WriteHeader(http.StatusOK)
		return
	case !errors.As(err, &p):
		p = &problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}
	}
	level := slog.LevelWarn
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	r.log.LogAttrs(req.Context(), level, "changes not accepted", append(from.attributes(r.project.get()), slog.Int("status", p.Status), slog.String("error", p.Detail))...)
	finish(w, req, p.Status)
	p.write(w)
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
	c, sinks, err := r.ready()
	if err != nil {
		return err
	}
	body := in.intake.buffer()
	defer body.free()
	if err := in.intake.read(w, req, body); err != nil || len(body.bytes()) == 0 {
		return err
	}
	batch, err := parse(c.Parser, req, body.bytes())
	if err != nil || len(batch) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(req.Context(), c.Timeout)
	defer cancel()
	return answer(store(ctx, sinks, sink.Batch{Changes: batch, TraceParent: from.TraceParent()}))
}

// health answers whether the process lives and, at /readyz, whether it could take
// changes. It touches no sink.
func (r *Receiver) health(req *http.Request) error {
	if req.URL.Path != "/readyz" {
		return nil
	}
	return r.Open()
}

// parse makes changes of the body. An error is of the body as a whole.
func parse(p format.Parser, req *http.Request, body []byte) ([]format.Parsed, error) {
	mediaType, err := mediaTypeOf(req)
	if err != nil {
		return nil, err
	}
	batch, err := p.Parse(mediaType, body)
	switch {
	case errors.Is(err, format.ErrTooLarge):
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Detail: err.Error()}
	case errors.Is(err, format.ErrMediaType):
		return nil, &problem{Status: http.StatusUnsupportedMediaType, Detail: err.Error()}
	case err != nil:
		return nil, &problem{Status: http.StatusBadRequest, Detail: err.Error()}
	}
	return batch, nil
}

// store puts the changes that could be read into every sink, and returns the
// worst verdict on each of the batch.
func store(ctx context.Context, sinks []sink.Sink, b sink.Batch) []error {
	batch := b.Changes
	verdicts := make([]error, len(batch))
	var good []format.Parsed
	var place []int // of good's changes in batch
	for i := range batch {
		if verdicts[i] = batch[i].Err; verdicts[i] == nil {
			good = append(good, batch[i])
			place = append(place, i)
		}
	}
	b.Changes = good
	for i, err := range putAll(ctx, sinks, b) {
		verdicts[place[i]] = err
	}
	return verdicts
}

// putAll gives the batch to every sink at once and returns the worst verdict on
// each change.
func putAll(ctx context.Context, sinks []sink.Sink, b sink.Batch) []error {
	if len(b.Changes) == 0 {
		return nil
	}
	of := make([]sink.Verdicts, len(sinks))
	var putting sync.WaitGroup
	for i, s := range sinks {
		putting.Go(func() { of[i] = s.Put(ctx, b) })
	}
	putting.Wait()
	worst := make([]error, len(b.Changes))
	for _, verdicts := range of {
		for i, err := range verdicts {
			if worst[i] == nil || change.IsPermanent(worst[i]) && err != nil && !change.IsPermanent(err) {
				worst[i] = err
			}
		}
	}
	return worst
}
