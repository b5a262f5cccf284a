package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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

// Serve answers HTTP/1.1 and clear-text HTTP/2 on l until ctx ends. Then it takes no
// more connections and no more requests on those that it has, and answers what is
// in flight; the contexts of requests that take longer than 7 s end. It returns nil
// when all are answered; it is an error when that takes longer than 8 s.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, limits Limits, log *slog.Logger) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	server := newServer(limited(handler, limits, log), limits, log)
	server.BaseContext = func(net.Listener) context.Context { return requests }
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
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

// limited refuses headers above the limit, and leaves all others to the handler.
func limited(handler http.Handler, limits Limits, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if headerSize(req) <= limits.Header {
			handler.ServeHTTP(w, req)
			return
		}
		p := &problem{
			Status: http.StatusRequestHeaderFieldsTooLarge,
			Detail: fmt.Sprintf("the header has more than %d bytes, the limit of %s", limits.Header, maxHeader.Name),
		}
		log.WarnContext(req.Context(), "request refused", slog.Int("status", p.Status), slog.String("error", p.Detail))
		finish(w, req, p)
		p.write(w)
	})
}
