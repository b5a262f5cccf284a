// Package config reads the connector's configuration: the YAML of Aerospike's
// Connect for ESP in, the values out that the rooms are built from. Keys mean what
// they mean there; unknown ones are refused. A [Config] is valid by construction.
// What is done with it, config does not know.
package config

import (
	"bytes"
	_ "embed" // the reference
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/route"
)

// Config is a whole configuration.
type Config struct {
	Service      Service
	Logging      Logging
	Destinations map[string]deliver.Config
	Treatments   route.Levels[Treatment]
	DeadLetters  DeadLetters

	// Warnings are what was accepted and is not as its writer may think, in the
	// order of the file.
	Warnings Faults

	files   []tlsSection
	secrets []string // paths; a deliver.Secret follows its file by itself
}

// Treatment is what happens to the changes of one level.
type Treatment struct {
	Rule      route.Rule
	Transform *route.Transform // nil leaves bins as they are
	Ordering  *route.Ordering  // nil keeps no order beyond that of a lane
	Format    format.Format    // nil when the rule skips
	Stream    *deliver.Stream
}

// DeadLetters says where changes go that can never be delivered. At most one field
// is set; without any they are retried.
type DeadLetters struct {
	Destination string // a name in Destinations
	Directory   string // of a file that they are appended to
}

//go:embed reference.yaml
var reference string

// Reference returns a configuration that has every key, and says of each what it
// means, its default and its unit.
func Reference() string { return reference }

// Parse reads a configuration. Relative paths in it start at folder. Errors are
// Faults: all that is wrong with it.
func Parse(text []byte, folder string) (*Config, error) {
	return valid(parse(text, &document{folder: folder}))
}

// ParseElsewhere is Parse for a machine that the connector does not run on. Files
// that the configuration names are not looked at, so that the Config can be read,
// and nothing be built from it.
func ParseElsewhere(text []byte, folder string) (*Config, error) {
	return valid(parse(text, &document{folder: folder, elsewhere: true}))
}

func valid(c *Config, doc *document) (*Config, error) {
	if len(doc.faults) > 0 {
		return nil, doc.faults.sorted()
	}
	c.Warnings = doc.warnings.sorted()
	return c, nil
}

// Examine returns all there is to say about a configuration, which [Parse] takes
// when there are no Faults.
func Examine(text []byte, folder string) Findings {
	_, doc := parse(text, &document{folder: folder})
	return doc.findings()
}

// parse reads text as the document says. It returns no Config of what is no YAML.
func parse(text []byte, doc *document) (*Config, *document) {
	doc.asked = map[string]bool{}
	root, err := parseYAML(text)
	if err != nil {
		doc.fault("", nil, "%v", err)
		return nil, doc
	}
	top := doc.mapping("", "", root)
	c := &Config{
		Service:      service(top.sub("service")),
		Logging:      logging(top.sub("logging")),
		Destinations: destinations(top.dictionary("destinations")),
	}
	c.Treatments = treatments(top, c)
	c.DeadLetters = deadLetters(top, c)
	checkUnused(top, c)
	checkShared(top, c)
	top.end()
	c.files, c.secrets = doc.files, doc.secrets
	return c, doc
}

// Reload reads certificates, keys and secrets again. What cannot be read stays as
// it was, and is in the error.
func (c *Config) Reload() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Reload())
	}
	for _, path := range c.secrets {
		_, err := auth.ReadSecret(path)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Certificates returns when the certificates end that others are shown, by the
// sections that name them. They are those of now: after Reload, others perhaps.
func (c *Config) Certificates() map[string]time.Time {
	ends := map[string]time.Time{}
	for _, f := range c.files {
		if end := f.Ends(); !end.IsZero() {
			ends[f.path] = end
		}
	}
	return ends
}

func parseYAML(text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty; it needs at least destinations and routing")
	case err != nil:
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document; the configuration is one")
	}
	return doc.Content[0], nil
}
