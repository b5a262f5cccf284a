package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/sink"
)

// Environment has the environment variables, and the kinds of sinks that they may name.
type Environment struct {
	Getenv func(string) string
	Sinks  sink.Registry

	// Names says what errors call a variable whose value comes from elsewhere, such as a
	// flag. It may be nil.
	Names map[string]string

	// OneAtATime says that the process handles one request at a time. See [sink.Options].
	OneAtATime bool

	// Lambda says that the program runs on AWS Lambda: without a server of ours, and with
	// requests that one of Lambda's fronts has taken.
	Lambda bool

	// Secret parses the name of a secret, and returns a function that reads its text. If it is
	// nil, the program cannot read secrets.
	Secret func(name string) (read func(context.Context) ([]byte, error), err error)
}

// Examine checks the environment, in which the variables called names are set, and the local
// files that it names. It does not connect to anything; see [Examination.Connect].
func (e Environment) Examine(names []string) *Examination {
	settings, err := e.Parse(sink.Options{})
	x := &Examination{settings: settings, environment: e}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		x.Errors = joined.Unwrap()
	}
	if file := settings.Tokens.File; file != "" {
		if _, err := intake.ReadTokens(file); err != nil {
			x.Errors = append(x.Errors, fmt.Errorf("%s: %w", tokensFile.Name, err))
		}
	}
	for _, v := range e.Variables() {
		x.Values = append(x.Values, Finding{v.Name, x.effective(v)})
	}
	x.warn()
	x.warnOfNames(names)
	return x
}

// readSchema reads a schema from a file or from the cloud.
func (e Environment) readSchema(path string) ([]byte, error) {
	if !isURL(path) {
		return os.ReadFile(path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), schemaTimeout)
	defer cancel()
	return e.Sinks.ReadObject(ctx, path, schemaLimit)
}

// readLocalSchema is like readSchema, but returns nil for a schema in the cloud.
func (e Environment) readLocalSchema(path string) ([]byte, error) {
	if isURL(path) {
		return nil, nil
	}
	return e.readSchema(path)
}

// Parse reads the settings. The error joins all errors, each with the name of its variable.
// A schema in the cloud is not read; Parser.Avro is nil then. Parse sets the
// options that depend on the environment.
func (e Environment) Parse(o sink.Options) (Settings, error) { return e.parse(o, e.readLocalSchema) }

// Load is like Parse, but also reads a schema in the cloud.
func (e Environment) Load(o sink.Options) (Settings, error) { return e.parse(o, e.readSchema) }

func (e Environment) parse(o sink.Options, read schemaReader) (Settings, error) {
	p := parser{Environment: e}
	s := Settings{
		Timeout:  p.duration(timeout),
		Tokens:   p.tokens(),
		Limits:   p.limits(),
		BasePath: p.basePath(),
		Parser: formats.Parser{
			MetadataKey: metadataKey.in(e.Getenv),
			Limits: format.Limits{
				Inflated: int(p.size(maxInflated)), Changes: p.number(maxChanges), Change: int(p.size(maxChange)), Depth: p.number(maxDepth),
			},
		},
	}
	s.Host = p.host()
	s.Port, s.MetricsPort = p.ports()
	p.fail(logLevel, s.LogLevel.UnmarshalText([]byte(logLevel.in(e.Getenv))))
	var err error
	s.Parser.Avro, err = parseSchema(avroSchema.in(e.Getenv), s.Parser.MetadataKey, read)
	p.fail(avroSchema, err)
	o.Timeout, o.Avro, o.MetadataKey, o.OneAtATime = s.Timeout, s.Parser.Avro, s.Parser.MetadataKey, e.OneAtATime
	p.sinks(&s, o)
	p.deadLetters(&s, o)
	p.fence(&s)
	return s, errors.Join(p.errs...)
}

// Entry reads only the limits and the tokens, so that a client without a token learns nothing
// about errors in other settings.
func (e Environment) Entry() (intake.Limits, intake.Tokens, error) {
	p := parser{Environment: e}
	limits, tokens := p.limits(), p.tokens()
	return limits, tokens, errors.Join(p.errs...)
}

// LogLevel returns the lowest level to log, or the default if the variable is invalid.
func (e Environment) LogLevel() slog.Level {
	var level slog.Level // the zero value is info
	_ = level.UnmarshalText([]byte(logLevel.in(e.Getenv)))
	return level
}

// Project returns the name of the Google Cloud project, "" if the environment does not name
// it.
func (e Environment) Project() string { return project.in(e.Getenv) }

// BasePath returns the path that requests have before their own, "" if there is none.
func (e Environment) BasePath() string { return (&parser{Environment: e}).basePath() }

// sinkExample returns an example of a sink that keeps changes for others to read.
func (e Environment) sinkExample() string { return e.Sinks.Example("pubsub", "sqs") }

// deadLettersExample returns an example of a bucket for dead letters.
func (e Environment) deadLettersExample() string {
	return strings.Replace(e.Sinks.Example("gs", "s3"), "PREFIX", "dead-letters", 1)
}
