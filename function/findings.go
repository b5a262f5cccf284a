package function

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// Finding is what there is to say about a variable.
type Finding struct {
	Variable string
	Text     string // holds no secret
}

// String returns the name of the variable and the text.
func (f Finding) String() string { return f.Variable + ": " + f.Text }

// Findings are what the function makes of an environment.
type Findings struct {
	Settings []Finding // every variable, and what it was understood as
	Faults   []error   // each with the name of its variable; without any the function takes changes
	Warnings []Finding

	config Config
	getenv func(string) string
}

// Examine reads the environment, in which the variables called names are set, and
// the files that it names. What else it names is not looked at; see
// [Findings.Connect].
func Examine(getenv func(string) string, names []string) *Findings {
	config, err := ParseConfig(getenv, io.Discard)
	f := &Findings{config: config, getenv: getenv}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		f.Faults = joined.Unwrap()
	}
	if config.TokensFile != "" {
		if _, err := readTokens(config.TokensFile); err != nil {
			f.Faults = append(f.Faults, fmt.Errorf("%s: %w", tokensFile.Name, err))
		}
	}
	for _, v := range Variables() {
		f.Settings = append(f.Settings, Finding{v.Name, f.understood(v)})
	}
	f.warn()
	f.warnOfNames(names)
	return f
}

// understood returns what the value of v was understood as.
func (f *Findings) understood(v Variable) string {
	value := v.of(f.getenv)
	switch v {
	case tokens:
		if n := len(f.config.Tokens); n > 0 {
			value = fmt.Sprintf("%d, not shown", n)
		}
	case maxBody, maxInflated, maxInFlight, maxChange, maxHeader:
		if n, err := sink.ParseSize(value); err == nil {
			value = fmt.Sprintf("%s (%d bytes)", value, n)
		}
	case sinks:
		value = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }), ", ")
	}
	switch {
	case value == "":
		return "not set"
	case strings.TrimSpace(f.getenv(v.Name)) == "":
		return value + ", by default"
	}
	return value
}

// Connection is what became of looking for a place.
type Connection struct {
	Variable string // that names it
	Place    string
	Err      error // nil when it is there and may be used
}

// probeTimeout is for finding out about the places.
const probeTimeout = 10 * time.Second

// Connect finds out, in 10 s at most, whether the places that the environment names
// are there and may be used. Nothing is stored.
func (f *Findings) Connect(ctx context.Context) []Connection {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var specs []sink.Spec
	var all []Connection
	if path := avroSchema.of(f.getenv); inCloud(path) {
		_, err := parseSchema(path, f.config.Parser.MetadataKey, fetchSchema)
		all, specs = append(all, Connection{avroSchema.Name, path, err}), append(specs, sink.Spec{})
	}
	for _, s := range f.config.Sinks {
		specs, all = append(specs, s), append(all, Connection{Variable: sinks.Name, Place: s.URL})
	}
	if s := f.config.DeadLetters; s != nil {
		specs, all = append(specs, *s), append(all, Connection{Variable: deadLetters.Name, Place: s.URL})
	}
	var probing sync.WaitGroup
	for i, s := range specs {
		if s.Probe != nil {
			probing.Go(func() { all[i].Err = s.Probe(ctx) })
		}
	}
	probing.Wait()
	return all
}
