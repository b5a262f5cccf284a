package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/route"
)

// pipeline is what a change passes through: the server that receives it, and the
// destinations that it is sent to.
type pipeline struct {
	server       *connector.Server
	destinations map[string]*deliver.Destination
	deadLetters  *deadletter.File // nil unless dead letters go to a file
}

// newPipeline builds what the configuration describes. Close releases it.
func newPipeline(c *config.Config, r prometheus.Registerer, logger *slog.Logger) (*pipeline, error) {
	p := &pipeline{destinations: map[string]*deliver.Destination{}}
	var deadLetters connector.DeadLetters
	if folder := c.DeadLetters.Directory; folder != "" {
		file, err := deadletter.OpenFile(folder)
		if err != nil {
			return nil, fmt.Errorf("dead-letters.directory: %w; name a folder that can be written to", err)
		}
		p.deadLetters, deadLetters = file, file
	}
	deliverMetrics := deliver.NewMetrics(r, c.Service.ClusterName)
	for name, d := range c.Destinations {
		d.Metrics = deliverMetrics
		d.UserAgent = userAgent()
		d.HealthChanged = func(h deliver.HealthChange) { logHealth(logger, h) }
		p.destinations[name] = deliver.New(d)
	}
	if name := c.DeadLetters.Destination; name != "" {
		deadLetters = connector.PostedDeadLetters{Destination: p.destinations[name]}
	}
	ports := map[int]route.Levels[connector.Pipeline]{}
	for number, levels := range c.Ports {
		ports[number] = p.pipelines(levels)
	}
	metrics := connector.NewMetrics(r, c.Service.ClusterName)
	metrics.Certificates(c.Certificates, c.CertificatesLoaded)
	p.server = connector.New(connector.Config{
		Pipelines:       p.pipelines(c.Pipelines),
		Ports:           ports,
		Allow:           c.Service.Allow,
		MaxRecords:      c.Service.MaxRecords,
		MaxBytes:        c.Service.MaxBytes,
		MaxMessageBytes: c.Service.MaxMessageBytes,
		ReceiveBuffer:   c.Service.ReceiveBuffer,
		DrainTimeout:    c.Service.DrainTimeout,
		ConnectionTTL:   c.Service.ConnectionTTL,
		OrderingBytes:   c.Service.OrderingBytes,
		DeadLetters:     deadLetters,
		Metrics:         metrics,
		Logger:          logger,
	})
	return p, nil
}

// userAgent returns the User-Agent of requests to destinations.
func userAgent() string { return "aerosink-connector/" + cli.Version(stamp) }

// logHealth logs that an endpoint has become unhealthy, or healthy again.
func logHealth(logger *slog.Logger, h deliver.HealthChange) {
	if h.Healthy {
		logger.Info("endpoint healthy again", "destination", h.Destination, "endpoint", h.Endpoint, "unhealthy_for", h.Unhealthy.Round(time.Millisecond))
		return
	}
	logger.Warn("endpoint unhealthy; it gets no changes until health checks succeed", "destination", h.Destination, "endpoint", h.Endpoint, "error", h.Err)
}

// pipelines replaces the names of destinations in the configuration by the
// destinations.
func (p *pipeline) pipelines(levels route.Levels[config.Pipeline]) route.Levels[connector.Pipeline] {
	return route.Map(levels, func(t config.Pipeline) connector.Pipeline {
		bound := connector.Pipeline{Transform: t.Transform, Format: t.Format, Stream: t.Stream, Ordering: t.Ordering}
		for _, name := range t.Rule.Destinations {
			bound.Destinations = append(bound.Destinations, p.destinations[name])
		}
		return bound
	})
}

// close cancels the requests that are still in flight: every session has ended, so
// nothing waits for their outcome. The file of dead letters is closed last, because a
// destination may store one until it is closed.
func (p *pipeline) close() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, d := range p.destinations {
		d.Close(now)
	}
	if p.deadLetters != nil {
		p.deadLetters.Close()
	}
}
