package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// serve serves the function until ctx ends.
func serve(ctx context.Context, getenv func(string) string, stderr io.Writer) error {
	environment := newEnvironment(getenv)
	c, err := environment.Parse(sink.Options{})
	if err != nil {
		return fmt.Errorf("read the environment:\n%w", err)
	}
	log := function.NewLogger(stderr, environment)
	receiver := function.New(environment, log)
	if err := receiver.Open(); err != nil {
		log.Error("cannot open the sinks yet; each request tries again", "error", err)
	}
	l, err := listen(ctx, c.Host, c.Port, "PORT")
	if err != nil {
		return err
	}
	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return function.Serve(ctx, l, receiver, c.Limits, log) })
	started := []any{"address", l.Addr().String(), "sinks", fmt.Sprint(c.Sinks)}
	if c.Fence != nil {
		started = append(started, "fence", c.Fence.URL)
	}
	log.Info("sink started", started...)
	if c.MetricsPort != "" {
		serving.Go(func() error { return serveMetrics(ctx, c, receiver.Metrics(), log) })
	}
	err = serving.Wait()
	log.Info("sink stopped")
	return errors.Join(err, receiver.Close())
}

// serveMetrics serves /metrics on its own port until ctx ends.
func serveMetrics(ctx context.Context, c settings.Settings, metrics http.Handler, log *slog.Logger) error {
	l, err := listen(ctx, c.Host, c.MetricsPort, "METRICS_PORT")
	if err != nil {
		return err
	}
	log.Info("serving metrics", "address", l.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return function.Serve(ctx, l, mux, c.Limits, log)
}

// listen listens on host, "" for all addresses, and port, which is the value of variable.
func listen(ctx context.Context, host, port, variable string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	switch {
	case err == nil:
		return l, nil
	case host == "":
		return nil, fmt.Errorf("listen on port %s: %w; set another port in %s", port, err, variable)
	}
	return nil, fmt.Errorf("listen on %s, port %s: %w; set another address in HOST or port in %s", host, port, err, variable)
}
