// Package config reads the connector's configuration, which is that of Aerospike Connect for
// ESP, in YAML. Keys mean the same as in ESP; unknown keys are errors. A [Config] that
// [Parse] returns is valid.
//
//  1. [Parse] reads the YAML (package strict) and asks each section for its keys, in the
//     file named after the section: service, destinations, routing, formats and so on.
//  2. levelReader reads the settings of the root, of ports, of namespaces and of sets
//     (level.go), and merges them into a [Pipeline] for each (levels.go).
//  3. At the end, what does not go together is reported, such as destinations that are unused
//     or that share a URL (check.go).
//
// reference.yaml has every key, with its meaning, default and unit.
package config

import (
	_ "embed" // the reference
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/config/strict"
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
	Pipelines    route.Levels[Pipeline]
	DeadLetters  DeadLetters

	// Ports has the pipelines of changes that are received on a port, for the ports that
	// have their own. Pipelines has those of the others.
	Ports map[int]route.Levels[Pipeline]

	// Warnings lists settings that are accepted but are probably not what was meant, in
	// file order.
	Warnings strict.Errors

	rootUsed bool // a port has no pipelines of its own
	files    []tlsSection
	secrets  []string // paths; an auth.Secret reads its file again by itself
}

// used returns the pipelines that changes may take.
func (c *Config) used() []Pipeline {
	var list []Pipeline
	if c.rootUsed {
		list = inOrder(c.Pipelines)
	}
	for _, port := range slices.Sorted(maps.Keys(c.Ports)) {
		list = append(list, inOrder(c.Ports[port])...)
	}
	return list
}

// Pipeline says how the changes of a set are processed.
type Pipeline struct {
	Rule      route.Rule
	Transform *route.Transform // nil leaves bins unchanged
	Ordering  *route.Ordering  // nil orders changes only within a lane
	Format    format.Format    // nil if the rule skips
	Stream    *deliver.Stream
}

// DeadLetters says where to store changes that can never be delivered. At most one field is
// set; if none is, the changes are retried.
type DeadLetters struct {
	Destination string // a name in Destinations
	Directory   string // of the files that dead letters are appended to
}

//go:embed reference.yaml
var reference string

// Reference returns a configuration with every key, its meaning, its default and its unit.
func Reference() string { return reference }

// Parse reads a configuration. Paths in it are relative to folder. The error is
// [strict.Errors], which lists everything that is wrong.
func Parse(text []byte, folder string) (*Config, error) {
	return valid(parse(text, &found{folder: folder}))
}

// ParseElsewhere is like Parse, for a machine that the connector does not run on. It does not
// read the files that the configuration names, so the Config cannot be used to deliver.
func ParseElsewhere(text []byte, folder string) (*Config, error) {
	return valid(parse(text, &found{folder: folder, elsewhere: true}))
}

func valid(c *Config, _ *strict.Document, findings strict.Findings) (*Config, error) {
	if len(findings.Errors) > 0 {
		return nil, findings.Errors
	}
	c.Warnings = findings.Warnings
	return c, nil
}

// Examine returns the errors, warnings and notes about a configuration. [Parse] accepts it
// if there are no errors.
func Examine(text []byte, folder string) strict.Findings {
	_, _, findings := parse(text, &found{folder: folder})
	return findings
}

// parse reads text. The Config is complete only if there are no errors.
func parse(text []byte, shared *found) (*Config, *strict.Document, strict.Findings) {
	doc := &strict.Document{Examples: examples, Empty: "it needs at least destinations and routing"}
	root := doc.Parse(text)
	if root == nil {
		return nil, doc, doc.Findings()
	}
	top := &section{root, shared}
	if refuseOthers(top) {
		return nil, doc, doc.Findings()
	}
	c := &Config{
		Service:      service(top.Sub("service")),
		Logging:      logging(top.Sub("logging")),
		Destinations: destinations(top.Dictionary("destinations")),
	}
	top.Sub("dead-letters") // read when the pipelines are known
	readPipelines(top, c)
	c.DeadLetters = deadLetters(top, c)
	checkUnused(top, c)
	checkShared(top, c)
	checkMediaTypes(top, c)
	c.files, c.secrets = shared.files, shared.secrets
	return c, doc, doc.Findings()
}

// refuseOthers reports a configuration of another product that is easily taken for one of
// ESP, instead of every key that it has. It returns false if there is none.
func refuseOthers(top *section) bool {
	isOther := func(key string) bool { return top.Nodes[key] != nil }
	if isOther("destinations") || !slices.ContainsFunc([]string{"ordering-key", "attributes", "flow-control"}, isOther) {
		return false
	}
	top.Doc.Error("", top.Position(), "a configuration of Aerospike Connect for Pub/Sub, which has topics instead of destinations; name the function as the destination here, and the topic, ordering and attributes in the function's SINKS")
	return true
}

// examples has an example for each mapping that is easily mistaken for a list, by its key.
var examples = map[string]string{
	"destinations": "{NAME: {urls: [\"https://HOST/PATH\"]}}",
	"headers":      "{X-Team: data}",
	"namespaces":   "{NAME: {routing: {mode: skip}}}",
	"sets":         "{NAME: {routing: {mode: skip}}}",
	"map":          "{OLD: NEW}",
	"levels":       "{root: info}",

	"port-based-config": "{PORT: {routing: {mode: skip}}}",
}

// Reload reads certificates, keys and secrets again. Those that cannot be read stay as they
// were, and the error names them.
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

// Refresh reads the certificates and keys again whose files have changed. It returns the paths
// of the sections that name them. Those that cannot be read stay as they were, and the error
// names them.
func (c *Config) Refresh() (sections []string, err error) {
	var errs []error
	for _, f := range c.files {
		reloaded, err := f.Refresh()
		if reloaded {
			sections = append(sections, f.path)
		}
		errs = append(errs, err)
	}
	return sections, errors.Join(errs...)
}

// CertificatesLoaded returns when the content of certificates and keys in use was read, by the
// path of the section that names their files.
func (c *Config) CertificatesLoaded() map[string]time.Time {
	times := map[string]time.Time{}
	for _, f := range c.files {
		times[f.path] = f.Loaded()
	}
	return times
}

// Certificates returns when the connector's own certificates expire, by the path of the
// section that names them. Reload and Refresh may change the result.
func (c *Config) Certificates() map[string]time.Time {
	expiries := map[string]time.Time{}
	for _, f := range c.files {
		if end := f.Ends(); !end.IsZero() {
			expiries[f.path] = end
		}
	}
	return expiries
}
