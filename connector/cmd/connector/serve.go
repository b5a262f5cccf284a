package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
)

// serve runs the connector until ctx ends. It opens nothing before it has checked the
// whole configuration.
func serve(ctx context.Context, path string, stderr io.Writer) error {
	c, err := load(path, config.Parse)
	if err != nil {
		return err
	}
	logger, err := openLog(c.Logging, stderr)
	if err != nil {
		return err
	}
	defer logger.close()
	for _, w := range c.Warnings {
		logger.Warn("configuration", "path", w.Path, "line", w.Line, "warning", w.Text)
	}
	xdr, err := listen(ctx, c.Service.Listen, c.Service.TLS, connector.NewTLSListener)
	if err != nil {
		return err
	}
	defer closeAll(xdr)
	manage, err := listen(ctx, c.Service.Manage, c.Service.ManageTLS, tls.NewListener)
	if err != nil {
		return err
	}
	defer closeAll(manage)

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p, err := newPipeline(c, registry, logger.Logger)
	if err != nil {
		return err
	}
	stopReloading := startReloading(ctx, c, logger)
	defer stopReloading()
	logger.Info("connector started", "version", cli.Version(stamp), "xdr", addresses(xdr), "manage", addresses(manage))
	err = serveAll(ctx, p.server, xdr, manageServer(p.server.Manage(registry), logger.Logger), manage)
	p.close()
	logger.Info("connector stopped")
	return err
}

// manageServer returns the HTTP server of the manage ports: metrics, health and
// readiness.
func manageServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveAll serves the XDR and manage ports until ctx ends or one of them fails. The
// manage ports stay open while XDR drains.
func serveAll(ctx context.Context, xdrServer *connector.Server, xdr []net.Listener, manageServer *http.Server, manage []net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var serving sync.WaitGroup
	failures := make([]error, len(manage))
	for i, l := range manage {
		serving.Go(func() {
			if err := manageServer.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failures[i] = fmt.Errorf("manage port %s: %w", l.Addr(), err)
				stop()
			}
		})
	}
	err := xdrServer.Serve(ctx, xdr...)
	closing := manageServer.Close()
	serving.Wait()
	return errors.Join(append(failures, err, closing)...)
}

// listen opens the ports for clear text, and those for TLS, whose listeners newTLS returns.
func listen(ctx context.Context, clear []string, secure config.TLSPorts, newTLS func(net.Listener, *tls.Config) net.Listener) ([]net.Listener, error) {
	var listeners []net.Listener
	for i, a := range slices.Concat(clear, secure.Listen) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("listen on %s: %w; %s", a, err, advice(err))
		}
		if i >= len(clear) {
			l = newTLS(l, secure.Config)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// advice returns what to do about a port that cannot be opened.
func advice(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "is another connector running there?"
	}
	return "choose another port or address"
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // a server that served it has closed it already
	}
}

func addresses(listeners []net.Listener) []string {
	list := make([]string, len(listeners))
	for i, l := range listeners {
		list[i] = l.Addr().String()
	}
	return list
}
