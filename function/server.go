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

// Limits of the server. Who is idle between requests may stay: it is the
// platform's front end, and keeping the connection is its affair.
const (
	answerTimeout = time.Minute
	idleTimeout   = 15 * time.Minute

	// drainTimeout is for requests in flight when the server stops. Cloud Run kills
	// the process 10 s after SIGTERM.
	drainTimeout = 8 * time.Second
)

// Serve answers HTTP/1.1 and clear-text HTTP/2 on l until ctx ends. Then it takes
// no more requests, answers those in flight, and returns nil; it is an error when
// that takes longer than 8 s.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, limits Limits, log *slog.Logger) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.BodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    limits.Header,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("requests in flight were cut after %s: %w", drainTimeout, errors.Join(err, server.Close()))
	}
	return errors.Join(err, ignoreClosed(<-served))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
