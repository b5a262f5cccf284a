// Package config reads the connector's configuration: the YAML of Aerospike's
// Connect for ESP in, the values out that the rooms are built from. Keys mean what
// they mean there; unknown ones are refused. A [Config] is valid by construction.
// What is done with it, config does not know.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
)

// Config is a whole configuration.
type Config struct {
	Service      Service
	Logging      Logging
	Destinations map[string]deliver.Config
	Treatments   route.Levels[Treatment]

	// Warnings are what was accepted and is not as its writer may think.
	Warnings Faults
}

// Treatment is what happens to the changes of one level.
type Treatment struct {
	Rule   route.Rule
	Format format.Format // nil when the rule skips
	Stream *deliver.Stream
}

// Service says where the connector listens and how much it holds.
type Service struct {
	Listen      []string // host:port of the XDR listeners
	Manage      []string // host:port of the manage listeners; may be empty
	ClusterName string   // a label on every metric

	MaxRecords      int // changes in flight
	MaxBytes        int // of changes in flight
	MaxMessageBytes int // the largest XDR message
	ReceiveBuffer   int // SO_RCVBUF of an XDR connection; 0 leaves it to the system

	DrainTimeout time.Duration // from the signal to the end
}

// Logging says where the log goes. Without a File it goes to standard error.
type Logging struct {
	File    string
	Console bool // also, or instead of a File
	JSON    bool
	Level   slog.Level
}

// Parse reads a configuration. Errors are Faults: all that is wrong with it.
func Parse(text []byte) (*Config, error) {
	root, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	doc := &document{}
	top := doc.mapping("", root)
	c := &Config{
		Service:      service(top.sub("service")),
		Logging:      logging(top.sub("logging")),
		Destinations: destinations(top.sub("destinations")),
	}
	c.Treatments = treatments(top, c.Destinations)
	top.end()
	c.Warnings = doc.warnings
	if len(doc.faults) > 0 {
		sort.SliceStable(doc.faults, func(i, j int) bool { return doc.faults[i].Line < doc.faults[j].Line })
		return nil, doc.faults
	}
	return c, nil
}

func parseYAML(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, Faults{{What: "the file is empty; it needs at least destinations, routing and format"}}
	case err != nil:
		return nil, Faults{{What: fmt.Sprintf("not YAML: %v", err)}}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Faults{{What: "more than one YAML document; the configuration is one"}}
	}
	return doc.Content[0], nil
}
