package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/route"
)

// house is all rooms, built from a configuration.
type house struct {
	server       *connector.Server
	destinations map[string]*deliver.Destination
	letters      *connector.FiledLetters // nil when dead letters go elsewhere
}

func build(c *config.Config, r prometheus.Registerer, logger *slog.Logger) (*house, error) {
	h := &house{destinations: map[string]*deliver.Destination{}}
	var letters connector.DeadLetters
	if folder := c.DeadLetters.Directory; folder != "" {
		filed, err := connector.FileLetters(folder)
		if err != nil {
			return nil, fmt.Errorf("dead-letters.directory: %w; name a folder that can be written to", err)
		}
		h.letters, letters = filed, filed
	}
	metrics := deliver.NewMetrics(r, c.Service.ClusterName)
	for name, d := range c.Destinations {
		d.Metrics = metrics
		h.destinations[name] = deliver.New(d)
	}
	if name := c.DeadLetters.Destination; name != "" {
		letters = connector.PostedLetters{Destination: h.destinations[name]}
	}
	figures := connector.NewMetrics(r, c.Service.ClusterName)
	figures.Certificates(c.Certificates)
	h.server = connector.New(connector.Config{
		Treatments:      h.bind(c.Treatments),
		MaxRecords:      c.Service.MaxRecords,
		MaxBytes:        c.Service.MaxBytes,
		MaxMessageBytes: c.Service.MaxMessageBytes,
		ReceiveBuffer:   c.Service.ReceiveBuffer,
		DrainTimeout:    c.Service.DrainTimeout,
		ConnectionTTL:   c.Service.ConnectionTTL,
		OrderingBytes:   c.Service.OrderingBytes,
		DeadLetters:     letters,
		Metrics:         figures,
		Logger:          logger,
	})
	return h, nil
}

// bind puts destinations where the configuration has their names.
func (h *house) bind(levels route.Levels[config.Treatment]) route.Levels[connector.Treatment] {
	return route.Map(levels, func(t config.Treatment) connector.Treatment {
		bound := connector.Treatment{Transform: t.Transform, Format: t.Format, Stream: t.Stream, Ordering: t.Ordering}
		for _, name := range t.Rule.Destinations {
			bound.Destinations = append(bound.Destinations, h.destinations[name])
		}
		return bound
	})
}

// close breaks off what is still in flight: every session has ended, so nobody
// waits for a verdict. Dead letters close last, since a destination's last verdict
// may be one.
func (h *house) close() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, d := range h.destinations {
		d.Close(now)
	}
	if h.letters != nil {
		h.letters.Close()
	}
}
