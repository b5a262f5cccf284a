package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
)

// openConnector starts the connector with a format, batches of at most so many
// records, and a destination that answers 200 at once.
func openConnector(f format.Format, records int) (address string, closeIt func(), err error) {
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client says when it broke off
	}))
	there.Config.Protocols = new(http.Protocols)
	there.Config.Protocols.SetUnencryptedHTTP2(true)
	there.Start()
	u, err := url.Parse(there.URL)
	if err != nil {
		return "", nil, err
	}
	d := deliver.New(deliver.Config{
		Name: "there", URLs: []*url.URL{u}, Queue: 32768, CallTimeout: 8 * time.Second,
		Config: post.Config{Connections: 1, Streams: 100, ConnectTimeout: time.Second},
	})
	server := connector.New(connector.Config{
		Pipelines: route.Levels[connector.Pipeline]{Root: connector.Pipeline{
			Format: f, Stream: &deliver.Stream{Envelope: f, MaxRecords: records, MaxBytes: 4 << 20}, Destinations: []*deliver.Destination{d},
		}},
		MaxRecords: 32768, MaxBytes: 64 << 20, MaxMessageBytes: xdr.DefaultLimit, DrainTimeout: 10 * time.Second,
		Metrics: connector.NewMetrics(prometheus.NewRegistry(), "bench"),
		Logger:  slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	return l.Addr().String(), func() {
		stop()
		<-ended
		d.Close(ctx)
		there.Close()
	}, nil
}
