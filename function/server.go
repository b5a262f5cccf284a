package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits of the server.
const (
	// idleTimeout is long: who is idle between requests is the platform's front end,
	// and keeping the connection is its affair.
	idleTimeout = 15 * time.Minute

	// maxStreams are the requests at once on one connection of HTTP/2, and maxFrame
	// the bytes of a frame, for which each connection may make the server find room.
	maxStreams = 250
	maxFrame   = 16 << 10

	// drainTimeout is for requests in flight when the server stops. Cloud Run kills
	// the process 10 s after SIGTERM. Those that are not done by cutTimeout are told
	// to come to an end, so that they are answered still.
	drainTimeout = 8 * time.Second
	cutTimeout   = 7 * time.Second
)

// Serve answers HTTP/1.1 and clear-text HTTP/2 on l until ctx ends. Then /readyz is
// 503, no more connections are taken, and the requests in flight are answered; the
// contexts of those that take longer than 7 s end. Serve returns nil when all is
// answered; it is an error when that takes longer than 8 s.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, limits Limits, log *slog.Logger) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	d := &door{handler: handler, limits: limits, log: log}
	server := newServer(d, limits, log)
	server.BaseContext = func(net.Listener) context.Context { return requests }
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	d.stopping.Store(true)
	defer time.AfterFunc(cutTimeout, func() { cut(errStopping) }).Stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("requests in flight were cut after %s: %w", drainTimeout, errors.Join(err, server.Close()))
	}
	return errors.Join(err, ignoreClosed(<-served))
}

// newServer returns a server that reads twice the limit of a header, for the handler
// to answer what is above it; what is above that net/http refuses by itself. How long
// an answer may take depends on the handler, which sets its own limit.
func newServer(handler http.Handler, limits Limits, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame, WriteByteTimeout: answerTimeout},
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.HeaderTimeout + limits.BodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    2 * limits.Header,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// door answers what is the server's affair, and leaves the rest to the handler.
type door struct {
	handler  http.Handler
	limits   Limits
	log      *slog.Logger
	stopping atomic.Bool
}

// ServeHTTP implements [http.Handler].
func (d *door) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var p *problem
	switch {
	case req.URL.Path == "/readyz" && d.stopping.Load():
		p = &problem{Status: http.StatusServiceUnavailable, Detail: errStopping.Error()}
	case headerSize(req) > d.limits.Header:
		p = &problem{
			Status: http.StatusRequestHeaderFieldsTooLarge,
			Detail: fmt.Sprintf("the header has more than %d bytes, the limit of %s", d.limits.Header, maxHeader.Name),
		}
		d.log.WarnContext(req.Context(), "request refused", slog.Int("status", p.Status), slog.String("error", p.Detail))
	default:
		d.handler.ServeHTTP(w, req)
		return
	}
	finish(w, req, p.Status)
	p.write(w)
}
