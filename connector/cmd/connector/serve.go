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
	"github.com/aerosink/aerosink/connector/config"
)

// serve runs the connector until ctx ends. Nothing is opened before the whole
// configuration is known to be good.
func serve(ctx context.Context, path string, stderr io.Writer) error {
	c, err := load(path, config.Parse)
	if err != nil {
		return err
	}
	logger, closeLog, err := openLog(c.Logging, stderr)
	if err != nil {
		return err
	}
	defer closeLog()
	for _, w := range c.Warnings {
		logger.Warn("configuration", "path", w.Path, "line", w.Line, "warning", w.What)
	}
	xdr, err := listen(ctx, c.Service.Listen, c.Service.TLS)
	if err != nil {
		return err
	}
	defer closeAll(xdr)
	manage, err := listen(ctx, c.Service.Manage, c.Service.ManageTLS)
	if err != nil {
		return err
	}
	defer closeAll(manage)

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h, err := build(c, registry, logger)
	if err != nil {
		return err
	}
	stopReloading := reloadOnHangup(ctx, c, logger)
	defer stopReloading()
	logger.Info("connector started", "version", version(), "xdr", addresses(xdr), "manage", addresses(manage))
	err = serveAll(ctx, h.server, xdr, admin(h.server.Manage(registry), logger), manage)
	h.close()
	logger.Info("connector stopped")
	return err
}

// admin returns the server of the manage ports. What it says of a connection goes
// where all is logged.
func admin(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveAll serves both kinds of port until ctx ends or one of them fails. The
// manage port stays open while XDR drains.
func serveAll(ctx context.Context, server *connector.Server, xdr []net.Listener, admin *http.Server, manage []net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var serving sync.WaitGroup
	failures := make([]error, len(manage))
	for i, l := range manage {
		serving.Go(func() {
			if err := admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failures[i] = fmt.Errorf("manage port %s: %w", l.Addr(), err)
				stop()
			}
		})
	}
	err := server.Serve(ctx, xdr...)
	closing := admin.Close()
	serving.Wait()
	return errors.Join(append(failures, err, closing)...)
}

// listen opens the ports in clear text, and those over TLS.
func listen(ctx context.Context, clear []string, secure config.TLSPorts) ([]net.Listener, error) {
	var listeners []net.Listener
	for i, a := range slices.Concat(clear, secure.Listen) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("listen on %s: %w; %s", a, err, advice(err))
		}
		if i >= len(clear) {
			l = tls.NewListener(l, secure.Config)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// advice says what to do when a port cannot be opened.
func advice(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "is another connector running there?"
	}
	return "choose another port or address"
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // closed twice when it was served
	}
}

func addresses(listeners []net.Listener) []string {
	list := make([]string, len(listeners))
	for i, l := range listeners {
		list[i] = l.Addr().String()
	}
	return list
}
