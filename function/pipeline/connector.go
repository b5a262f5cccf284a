package pipeline

import (
	"context"
	"errors"
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
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Connector is a connector in the process, with a manage port.
type Connector struct {
	XDR, Manage net.Listener

	destination *deliver.Destination
	stop        context.CancelFunc // nil until it is started
	end         chan error
}

// Address is an address to listen on, and the flag that changes it.
type Address struct{ HostPort, Flag string }

// Listen opens the ports of a Connector, so that their addresses are known before it is
// started.
func Listen(ctx context.Context, xdrPort, manage Address) (*Connector, error) {
	x, err := new(net.ListenConfig).Listen(ctx, "tcp", xdrPort.HostPort)
	if err != nil {
		return nil, ListenError("XDR", xdrPort.HostPort, xdrPort.Flag, err)
	}
	m, err := new(net.ListenConfig).Listen(ctx, "tcp", manage.HostPort)
	if err != nil {
		return nil, errors.Join(ListenError("the connector's metrics", manage.HostPort, manage.Flag, err), x.Close())
	}
	return NewConnector(x, m), nil
}

// NewConnector returns a Connector that listens already.
func NewConnector(xdrPort, manage net.Listener) *Connector {
	return &Connector{XDR: xdrPort, Manage: manage, end: make(chan error, 1)}
}

// StartConfig says where a Connector sends changes, and how.
type StartConfig struct {
	URL      *url.URL
	Config   post.Config // of the connections
	Format   format.Format
	MaxBytes int // of a batch
	Log      *slog.Logger
}

// Start starts the Connector. It has its own context, because it ends before the function.
func (c *Connector) Start(s StartConfig) {
	c.destination = deliver.New(deliver.Config{
		Name: "function", URLs: []*url.URL{s.URL}, Config: s.Config, Queue: 32768, CallTimeout: 8 * time.Second,
	})
	registry := prometheus.NewRegistry()
	server := connector.New(connector.Config{
		Pipelines: route.Levels[connector.Pipeline]{Root: connector.Pipeline{
			Format:       s.Format,
			Stream:       &deliver.Stream{Envelope: s.Format, MaxRecords: 500, MaxBytes: s.MaxBytes},
			Destinations: []*deliver.Destination{c.destination},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(registry, "local"), Logger: s.Log,
	})
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	manageServer := &http.Server{Handler: server.Manage(registry), ReadHeaderTimeout: time.Second}
	manageEnd := make(chan error, 1)
	go func() { manageEnd <- manageServer.Serve(c.Manage) }()
	go func() {
		err := server.Serve(ctx, c.XDR)
		c.end <- errors.Join(err, manageServer.Close(), ignoreClosed(<-manageEnd))
	}()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Stop drains the Connector and stops it, as far as it was started.
func (c *Connector) Stop() error {
	if c.stop == nil {
		return errors.Join(c.XDR.Close(), c.Manage.Close())
	}
	c.stop()
	err := <-c.end
	drained, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.destination.Close(drained)
	return err
}

// Play ships frames to the Connector, as a node of a database does.
func (c *Connector) Play(ctx context.Context, frames []xdr.Frame) error {
	source := &xdrtest.Source{Address: c.XDR.Addr().String(), Connections: 4}
	return source.Play(ctx, frames)
}
