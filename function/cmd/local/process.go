package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/sink"
)

// process is the function and the connector, each served as in production.
type process struct {
	connector *pipeline.Connector
	function  net.Listener

	receiver     *function.Receiver
	stopFunction context.CancelFunc // nil until it is started
	functionEnd  chan error
}

// openProcess opens the ports of the function and the connector, so that their addresses are
// known.
func openProcess(ctx context.Context, o *options) (*process, error) {
	p := &process{functionEnd: make(chan error, 1)}
	flag := "-ports"
	if o.listen != "" {
		flag = "-listen"
	} else if o.ports == 0 {
		flag = "-listen or -ports"
	}
	var err error
	if p.connector, err = pipeline.Listen(ctx, pipeline.Address{HostPort: o.xdrAddress(), Flag: flag}, pipeline.Address{HostPort: o.port(2), Flag: "-ports"}); err != nil {
		return nil, err
	}
	if p.function, err = new(net.ListenConfig).Listen(ctx, "tcp", o.port(3)); err != nil {
		return nil, errors.Join(pipeline.ListenError("the function", o.port(3), "-ports", err), p.connector.Stop())
	}
	return p, nil
}

// start starts the function and the connector.
func (p *process) start(o *options, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := p.startFunction(o, log); err != nil {
		return err
	}
	p.startConnector(o.format, log)
	return nil
}

// startFunction starts the function. It has its own context, because it ends after the
// connector.
func (p *process) startFunction(o *options, log *slog.Logger) error {
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

// startConnector starts the connector.
func (p *process) startConnector(f format.Format, log *slog.Logger) {
	p.connector.Start(pipeline.StartConfig{
		URL:    &url.URL{Scheme: "http", Host: p.function.Addr().String(), Path: "/"},
		Config: post.Config{Connections: 1, Streams: 16, ConnectTimeout: time.Second},
		Format: f, MaxBytes: 4 << 20, Log: log,
	})
}

// stop stops the connector and then the function, as far as they were started. Each drains
// first.
func (p *process) stop() error {
	err := p.connector.Stop()
	if p.stopFunction == nil {
		return errors.Join(err, p.function.Close())
	}
	p.stopFunction()
	return errors.Join(err, <-p.functionEnd, p.receiver.Close())
}
