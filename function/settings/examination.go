package settings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/nearest"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/sink"
)

// Examination is the result of [Environment.Examine], for people to read.
type Examination struct {
	Values   []Finding // every variable, and its effective value
	Errors   []error   // each with the name of its variable; the function accepts changes only without any
	Warnings []Finding

	settings    Settings
	environment Environment
}

// Finding is a remark about a variable.
type Finding struct {
	Variable string
	Text     string // holds no secret
}

// String returns the name of the variable and the text.
func (f Finding) String() string { return f.Variable + ": " + f.Text }

// effective returns the effective value of v.
func (x *Examination) effective(v Variable) string {
	getenv := x.environment.Getenv
	value := v.in(getenv)
	switch v {
	case tokens:
		if n := len(x.settings.Tokens); n > 0 {
			value = fmt.Sprintf("%d, not shown", n)
		}
	case maxBody, maxInflated, maxInFlight, maxChange, maxHeader:
		if n, err := sink.ParseSize(value); err == nil {
			value = fmt.Sprintf("%s (%s)", value, plural.Of(int(n), "byte"))
		}
	case sinks:
		value = strings.Join(slices.Collect(sink.SplitURLs(value)), ", ")
	}
	switch {
	case value == "":
		return "not set"
	case strings.TrimSpace(getenv(v.Name)) == "":
		return value + ", by default"
	}
	return value
}

const (
	xdrTimeout    = 10 * time.Second // how long XDR waits for a reply
	frontEndLimit = 32 << 20         // of Cloud Run, for requests over HTTP/1.1, in bytes
	messageLimit  = 10_000_000       // of Pub/Sub, in bytes
)

// warn adds warnings about settings that are valid but probably not what was meant.
func (x *Examination) warn() {
	s, getenv := &x.settings, x.environment.Getenv
	warn := func(v Variable, text string, args ...any) {
		x.Warnings = append(x.Warnings, Finding{v.Name, fmt.Sprintf(text, args...)})
	}
	if deadLetters.in(getenv) == "" {
		warn(deadLetters, "not set, so a change that can never be stored is refused, and its sender may send it again and again; set for example gs://BUCKET/dead-letters")
	}
	if d := s.DeadLetters; d != nil && strings.HasPrefix(d.URL, "pubsub:") && s.Limits.Inflated >= messageLimit {
		warn(deadLetters, "%s: a topic takes messages up to 10 MB, so a larger change, or a larger body that cannot be read, gets a 503 every time; set for example gs://BUCKET/dead-letters", d.URL)
	}
	if d := s.DeadLetters; d != nil && strings.HasPrefix(d.URL, "sqs:") {
		warn(deadLetters, "%s: a queue takes messages up to 1 MiB, so a change of more than some 700 KiB gets a 503 every time; set for example s3://BUCKET/dead-letters", d.URL)
	}
	if s.Timeout >= xdrTimeout {
		warn(timeout, "%s, but XDR waits %s for a reply, which has to come back too; set for example %s", s.Timeout, xdrTimeout, timeout.Default)
	}
	if s.Limits.Body > frontEndLimit {
		warn(maxBody, "more than %d bytes reach a service on Cloud Run only with HTTP/2 end to end (--use-http2)", frontEndLimit)
	}
	for _, spec := range s.Sinks {
		u, err := sink.ParseURL(spec.URL)
		switch {
		case err != nil:
		case u.Scheme == "log":
			warn(sinks, "%s: a log is not durable, but what is written there counts as stored", spec.URL)
		case u.Scheme == "pubsub" && !u.Query().Has("ordering"):
			warn(sinks, "%s: without ordering a subscriber may get the versions of a record in any order; add for example ordering=256", spec.URL)
		}
	}
	if s.Fence != nil && memoryFence.in(getenv) != "" {
		warn(memoryFence, "an instance remembers only what it published itself, until it ends; with several instances use a fence in Aerospike, one of %s", sinks.Name)
	}
	if getenv("FUNCTION_TARGET") == "" {
		return
	}
	for _, v := range []Variable{host, metricsPort, maxHeader, headerTime} {
		if strings.TrimSpace(getenv(v.Name)) != "" {
			warn(v, "has no effect under the Functions Framework, whose server has its own")
		}
	}
}

// prefix is what users may put before the names of our variables, which have no prefix.
const prefix = "AEROSINK_"

// warnOfNames adds warnings about variables whose names look like misspelled ones of ours.
func (x *Examination) warnOfNames(names []string) {
	var known []string
	for _, v := range Variables() {
		known = append(known, v.Name)
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		bare, prefixed := strings.CutPrefix(strings.ToUpper(name), prefix)
		switch near := nearest.Strict(bare, known); {
		case near != "":
			x.Warnings = append(x.Warnings, Finding{name, "unknown variable; did you mean " + near + "?"})
		case prefixed:
			x.Warnings = append(x.Warnings, Finding{name, "unknown variable"})
		}
	}
}

// Connection is the result of checking a sink, or a schema in the cloud.
type Connection struct {
	Variable string // the variable that names it
	URL      string
	Err      error  // nil if it exists and may be used
	Warning  string // if Err is nil: what is probably not as it was meant; "" is nothing
}

// set sets the result of a probe.
func (c *Connection) set(err error) {
	var concern *sink.Concern
	if errors.As(err, &concern) {
		c.Warning = concern.Text
		return
	}
	c.Err = err
}

// probeTimeout bounds the check of all connections.
const probeTimeout = 10 * time.Second

// Connect checks, in at most 10 s, whether the sinks and the schema that the environment
// names exist and may be used. It stores nothing.
func (x *Examination) Connect(ctx context.Context) []Connection {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var specs []sink.Spec
	var all []Connection
	if path := avroSchema.in(x.environment.Getenv); isURL(path) {
		_, err := parseSchema(path, x.settings.Parser.MetadataKey, x.environment.readSchema)
		all, specs = append(all, Connection{Variable: avroSchema.Name, URL: path, Err: err}), append(specs, sink.Spec{})
	}
	for _, s := range x.settings.Sinks {
		specs, all = append(specs, s), append(all, Connection{Variable: sinks.Name, URL: s.URL})
	}
	if s := x.settings.DeadLetters; s != nil {
		specs, all = append(specs, *s), append(all, Connection{Variable: deadLetters.Name, URL: s.URL})
	}
	if f := x.settings.Fence; f != nil && f.Probe != nil {
		specs, all = append(specs, sink.Spec{Probe: f.Probe}), append(all, Connection{Variable: sinks.Name, URL: f.URL})
	}
	var probing sync.WaitGroup
	for i, s := range specs {
		if s.Probe != nil {
			probing.Go(func() { all[i].set(s.Probe(ctx)) })
		}
	}
	probing.Wait()
	return all
}
