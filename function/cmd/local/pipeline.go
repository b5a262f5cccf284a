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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function"
)

// pipeline is the function and the connector, each served as in production.
type pipeline struct {
	xdr, manage, function net.Listener

	receiver    *function.Receiver
	destination *deliver.Destination

	stopConnector, stopFunction context.CancelFunc
	connectorEnd, functionEnd   chan error
}

// What the function is told to do with changes.
const (
	shards      = 256
	metadataKey = "metadata"
)

var sinks = fmt.Sprintf("pubsub://%s/changes?ordering=%d,gs://%s/%s", projectName, shards, bucketName, prefix)

func startPipeline(ctx context.Context, o options, stderr io.Writer) (*pipeline, error) {
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

func formatOf(name string) (format.Format, error) {
	switch name {
	case "json":
		return format.JSON{StringifyMapKeys: true}, nil
	case "flat-json":
		return format.FlatJSON{MetadataKey: metadataKey, StringifyMapKeys: true}, nil
	}
	return nil, fmt.Errorf("-format %s: the formats are json and flat-json", name)
}

// The parts end in the order of the walk, so each has its own context.
func (p *pipeline) startFunction(log *slog.Logger) error {
	environment := map[string]string{"SINKS": sinks}
	getenv := func(name string) string { return environment[name] }
	c, err := function.ParseConfig(getenv, io.Discard)
	if err != nil {
		return err
	}
	p.receiver = function.New(getenv, log)
	var ctx context.Context
	ctx, p.stopFunction = context.WithCancel(context.Background())
	go func() { p.functionEnd <- function.Serve(ctx, p.function, p.receiver, c.Limits, log) }()
	return nil
}

func (p *pipeline) startConnector(f format.Format, log *slog.Logger) {
	p.destination = deliver.New(deliver.Config{
		Name:        "function",
		URLs:        []*url.URL{{Scheme: "http", Host: p.function.Addr().String(), Path: "/"}},
		Connections: 1, Streams: 16, Queue: 32768, CallTimeout: 8 * time.Second, ConnectTimeout: time.Second,
	})
	registry := prometheus.NewRegistry()
	server := connector.New(connector.Config{
		Treatments: route.Levels[connector.Treatment]{Root: connector.Treatment{
			Format:       f,
			Stream:       &deliver.Stream{Envelope: f, MaxRecords: 500, MaxBytes: 4 << 20},
			Destinations: []*deliver.Destination{p.destination},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(registry, "local"), Logger: log,
	})
	var ctx context.Context
	ctx, p.stopConnector = context.WithCancel(context.Background())
	admin := &http.Server{Handler: server.Manage(registry), ReadHeaderTimeout: time.Second}
	managed := make(chan error, 1)
	go func() { managed <- admin.Serve(p.manage) }()
	go func() {
		err := server.Serve(ctx, p.xdr)
		p.connectorEnd <- errors.Join(err, admin.Close(), ignoreClosed(<-managed))
	}()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop drains the pipeline from its beginning to its end.
func (p *pipeline) stop() error {
	p.stopConnector()
	err := <-p.connectorEnd
	drained, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p.destination.Close(drained)
	p.stopFunction()
	return errors.Join(err, <-p.functionEnd, p.receiver.Close())
}
