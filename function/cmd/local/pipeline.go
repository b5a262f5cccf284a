package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink"
)

// pipeline is the function and the connector, each served as in production.
type pipeline struct {
	xdr, manage, function net.Listener

	receiver    *function.Receiver
	destination *deliver.Destination

	stopConnector, stopFunction context.CancelFunc
	connectorEnd, functionEnd   chan error
}

// openPipeline opens the ports of the function and the connector, so that their addresses
// are known.
func openPipeline(ctx context.Context, o *options) (*pipeline, error) {
	p := &pipeline{connectorEnd: make(chan error, 1), functionEnd: make(chan error, 1)}
	return p, p.listen(ctx, o)
}

// start starts the function and the connector.
func (p *pipeline) start(o *options, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := p.startFunction(o, log); err != nil {
		return err
	}
	p.startConnector(o.format, log)
	return nil
}

func (p *pipeline) listen(ctx context.Context, o *options) error {
	flag := "-ports"
	if o.listen != "" {
		flag = "-listen"
	} else if o.ports == 0 {
		flag = "-listen or -ports"
	}
	for _, l := range []struct {
		listener          *net.Listener
		of, address, flag string
	}{
		{&p.xdr, "XDR", o.xdrAddress(), flag},
		{&p.manage, "the connector's metrics", o.port(2), "-ports"},
		{&p.function, "the function", o.port(3), "-ports"},
	} {
		var err error
		if *l.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", l.address); err != nil {
			return listenError(l.of, l.address, l.flag, err)
		}
	}
	return nil
}

// closeListeners closes the ports that are open.
func (p *pipeline) closeListeners() error {
	var errs []error
	for _, l := range []net.Listener{p.xdr, p.manage, p.function} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// startFunction starts the function. It has its own context, because it ends after the
// connector.
func (p *pipeline) startFunction(o *options, log *slog.Logger) error {
	e := o.functionEnvironment()
	c, err := e.Parse(sink.Options{})
	if err != nil {
		return err
	}
	p.receiver = function.New(e, log)
	if err := p.receiver.Open(); err != nil {
		return errors.Join(err, p.receiver.Close())
	}
	var ctx context.Context
	ctx, p.stopFunction = context.WithCancel(context.Background())
	go func() { p.functionEnd <- function.Serve(ctx, p.function, p.receiver, c.Limits, log) }()
	return nil
}

// startConnector starts the connector, with its manage port.
func (p *pipeline) startConnector(f format.Format, log *slog.Logger) {
	p.destination = deliver.New(deliver.Config{
		Name:   "function",
		URLs:   []*url.URL{{Scheme: "http", Host: p.function.Addr().String(), Path: "/"}},
		Config: post.Config{Connections: 1, Streams: 16, ConnectTimeout: time.Second}, Queue: 32768, CallTimeout: 8 * time.Second,
	})
	registry := prometheus.NewRegistry()
	server := connector.New(connector.Config{
		Pipelines: route.Levels[connector.Pipeline]{Root: connector.Pipeline{
			Format:       f,
			Stream:       &deliver.Stream{Envelope: f, MaxRecords: 500, MaxBytes: 4 << 20},
			Destinations: []*deliver.Destination{p.destination},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(registry, "local"), Logger: log,
	})
	var ctx context.Context
	ctx, p.stopConnector = context.WithCancel(context.Background())
	manageServer := &http.Server{Handler: server.Manage(registry), ReadHeaderTimeout: time.Second}
	manageEnd := make(chan error, 1)
	go func() { manageEnd <- manageServer.Serve(p.manage) }()
	go func() {
		err := server.Serve(ctx, p.xdr)
		p.connectorEnd <- errors.Join(err, manageServer.Close(), ignoreClosed(<-manageEnd))
	}()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop stops the connector and then the function, as far as they were started. Each drains
// first.
func (p *pipeline) stop() error {
	if p.stopConnector == nil {
		return p.closeListeners()
	}
	p.stopConnector()
	err := <-p.connectorEnd
	drained, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p.destination.Close(drained)
	p.stopFunction()
	return errors.Join(err, <-p.functionEnd, p.receiver.Close())
}
