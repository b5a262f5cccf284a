package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/problem"
)

// Limits of the server.
const (
	// idleTimeout is long, because idle connections belong to Cloud Run's front end, which
	// closes them itself.
	idleTimeout = 15 * time.Minute

	// maxStreams is the number of concurrent requests on an HTTP/2 connection, maxFrame
	// the size of a frame in bytes. They bound the memory of a connection.
	maxStreams = 250
	maxFrame   = 16 << 10

	// drainTimeout is for requests in flight when the server stops. Cloud Run kills the
	// process 10 s after SIGTERM. Requests that are not done after cutTimeout are cancelled,
	// so that they still get an answer.
	drainTimeout = 8 * time.Second
	cutTimeout   = 7 * time.Second
)

// Serve answers HTTP/1.1 and unencrypted HTTP/2 on l until ctx ends. Then it accepts no more
// connections and requests, and answers what is in flight; requests that take longer than
// 7 s are cancelled. It returns nil when all are answered, and an error if that takes longer
// than 8 s.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, limits intake.Limits, log *slog.Logger) error {
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
	defer time.AfterFunc(cutTimeout, func() { cut(intake.ErrStopping) }).Stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("requests in flight were cut off after %s: %w", drainTimeout, errors.Join(err, server.Close()))
	}
	return errors.Join(err, ignoreClosed(<-served))
}

// newServer returns a server that reads headers of up to twice the limit, so that the
// handler can answer those above it; net/http refuses larger ones itself. The handler sets
// its own time limit for an answer.
func newServer(handler http.Handler, limits intake.Limits, log *slog.Logger) *http.Server {
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

// limited refuses requests with larger headers than the limit.
func limited(handler http.Handler, limits intake.Limits, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if headerSize(req) <= limits.Header {
			handler.ServeHTTP(w, req)
			return
		}
		p := &problem.Problem{
			Status: http.StatusRequestHeaderFieldsTooLarge,
			Detail: fmt.Sprintf("the header has more than %s, the limit of %s", plural.Of(limits.Header, "byte"), intake.MaxHeader),
		}
		log.WarnContext(req.Context(), "request refused", slog.Int("status", p.Status), slog.String("error", p.Detail))
		prepareConnection(w, req, p)
		p.Write(w)
	})
}

// headerSize returns the size of the request's header in bytes, as HTTP/1.1 encodes it.
func headerSize(req *http.Request) int {
	const line = len(": \r\n")
	n := len(req.Method) + len(req.RequestURI) + len(req.Proto) + line + len("Host") + len(req.Host) + line
	for name, values := range req.Header {
		for _, value := range values {
			n += len(name) + len(value) + line
		}
	}
	return n
}
