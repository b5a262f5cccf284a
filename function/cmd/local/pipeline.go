package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
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

// The settings of the function.
const (
	shards      = 256
	metadataKey = "metadata"
)

var sinks = fmt.Sprintf("pubsub://%s/changes?ordering=%d,gs://%s/%s", projectName, shards, bucketName, prefix)

// startPipeline starts the function and the connector.
func startPipeline(ctx context.Context, o *options, stderr io.Writer) (*pipeline, error) {
	f, err := formatOf(o.format)
	if err != nil {
		return nil, err
	}
	p := &pipeline{connectorEnd: make(chan error, 1), functionEnd: make(chan error, 1)}
	for l, address := range map[*net.Listener]string{&p.xdr: o.address, &p.manage: "127.0.0.1:0", &p.function: "127.0.0.1:0"} {
		if *l, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := p.startFunction(log); err != nil {
		return nil, err
	}
	p.startConnector(f, log)
	return p, nil
}

// formatOf returns the format of -format.
func formatOf(name string) (format.Format, error) {
	switch name {
	case "json":
		return json.Format{StringifyMapKeys: true}, nil
	case "flat-json":
		return json.Flat{MetadataKey: metadataKey, StringifyMapKeys: true}, nil
	}
	return nil, cli.Usagef("-format: unknown format %q: want json or flat-json", name)
}

// startFunction starts the function. It has its own context, because it ends after the
// connector.
func (p *pipeline) startFunction(log *slog.Logger) error {
	environment := map[string]string{"SINKS": sinks}
	e := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: google.Sinks()}
	c, err := e.Parse(sink.Options{})
	if err != nil {
		return err
	}
	p.receiver = function.New(e, log)
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

// stop stops the connector and then the function. Each drains first.
func (p *pipeline) stop() error {
	p.stopConnector()
	err := <-p.connectorEnd
	drained, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p.destination.Close(drained)
	p.stopFunction()
	return errors.Join(err, <-p.functionEnd, p.receiver.Close())
}
