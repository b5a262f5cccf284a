package function

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
)

// Variable is one variable of the environment.
type Variable struct {
	Name    string
	Default string // what an empty or absent one means; "" is nothing
	Unit    string // what its value is: a size in bytes, a duration, a URL …
	Meaning string
}

// The variables that the function reads, declared once.
var (
	port        = Variable{"PORT", "8080", "port", "port of the server"}
	metricsPort = Variable{"METRICS_PORT", "", "port", "port of `/metrics` for Prometheus; without it there is none"}
	sinks       = Variable{"SINKS", "", "URLs", "where changes go, all of them: URLs separated by commas; required"}
	deadLetters = Variable{"DEAD_LETTERS", "", "URL", "where changes go that can never be stored: a URL of `gs:` or `pubsub:`; without it they are refused"}
	metadataKey = Variable{"METADATA_KEY", "metadata", "name", "member of flat JSON, or field or entry of Avro, that holds the metadata"}
	avroSchema  = Variable{"AVRO_SCHEMA", "", "path, URL", "path, or `gs:` URL, of the schema of Avro data that come alone; container files bring their own"}
	tokensFile  = Variable{"AUTH_TOKENS_FILE", "", "path", "path of a file of bearer tokens, one a line, any of which a request must have; read again when it changes"}
	tokens      = Variable{"AUTH_TOKENS", "", "tokens", "the same, separated by commas; beside a file both count"}
	maxBody     = Variable{"MAX_BODY", "32MiB", "size", "largest request body, as it is sent"}
	maxInflated = Variable{"MAX_INFLATED", "64MiB", "size", "most that it may inflate to"}
	maxInFlight = Variable{"MAX_IN_FLIGHT", "128MiB", "size", "most of all bodies at once, as they are sent and inflated; beyond it the answer is 429"}
	maxChanges  = Variable{"MAX_CHANGES", "10000", "number", "most changes in a request"}
	maxChange   = Variable{"MAX_CHANGE", "16MiB", "size", "largest change"}
	maxDepth    = Variable{"MAX_DEPTH", "64", "number", "most lists and maps in each other"}
	maxHeader   = Variable{"MAX_HEADER", "64KiB", "size", "largest request header"}
	headerTime  = Variable{"HEADER_TIMEOUT", "5s", "duration", "for a request's header to come"}
	bodyTime    = Variable{"BODY_TIMEOUT", "10s", "duration", "for its body to come"}
	timeout     = Variable{"TIMEOUT", "9s", "duration", "for making a request's changes durable; XDR waits 10s"}
	logLevel    = Variable{"LOG_LEVEL", "info", "level", "least of `debug`, `info`, `warn`, `error` that is logged; users' keys only with `debug`"}
	project     = Variable{"GOOGLE_CLOUD_PROJECT", "", "name", "project that log lines name in their trace; on Cloud Run it is found out"}
)

// Variables returns all variables that the function reads itself. Google's clients
// read more, PUBSUB_EMULATOR_HOST and STORAGE_EMULATOR_HOST among them.
func Variables() []Variable {
	return []Variable{
		port, metricsPort, sinks, deadLetters, metadataKey, avroSchema, tokensFile, tokens,
		maxBody, maxInflated, maxInFlight, maxChanges, maxChange, maxDepth, maxHeader, headerTime, bodyTime, timeout, logLevel, project,
	}
}

// of returns the variable's value, or its default.
func (v Variable) of(getenv func(string) string) string {
	if value := strings.TrimSpace(getenv(v.Name)); value != "" {
		return value
	}
	return v.Default
}

// Config is what the environment says. It is valid by construction.
type Config struct {
	Port        string
	MetricsPort string // "" is none
	Sinks       []sink.Spec
	DeadLetters *sink.Spec // nil is none
	Parser      formats.Parser
	Limits      Limits
	TokensFile  string
	Tokens      []Token
	Timeout     time.Duration
	LogLevel    slog.Level
}

// Limits bound what a request may be.
type Limits struct {
	Body     int64 // bytes as they are sent
	Inflated int64 // bytes
	InFlight int64 // bytes of all requests' bodies at once
	Header   int   // bytes

	HeaderTimeout, BodyTimeout time.Duration
}

// ParseConfig reads the environment. The error joins every fault, each with the
// name of its variable. What the log: sink writes goes to log. A schema in Cloud
// Storage is not read, and Parser.Avro nil then.
func ParseConfig(getenv func(string) string, log io.Writer) (Config, error) {
	return parseConfig(getenv, sink.Options{Log: log}, localSchema)
}

// LoadConfig is ParseConfig for who needs all of it at once: a schema in Cloud Storage
// is read.
func LoadConfig(getenv func(string) string, log io.Writer) (Config, error) {
	return parseConfig(getenv, sink.Options{Log: log}, fetchSchema)
}

func parseConfig(getenv func(string) string, o sink.Options, read schemaReader) (Config, error) {
	e := environment{get: getenv}
	c := Config{
		TokensFile: tokensFile.of(getenv),
		Timeout:    e.duration(timeout),
		Tokens:     e.tokens(),
		Limits:     e.limits(),
		Parser: formats.Parser{
			MetadataKey: metadataKey.of(getenv),
			Limits: format.Limits{
				Inflated: int(e.size(maxInflated)), Changes: e.number(maxChanges), Change: int(e.size(maxChange)), Depth: e.number(maxDepth),
			},
		},
	}
	c.Port, c.MetricsPort = e.ports()
	e.fault(logLevel, c.LogLevel.UnmarshalText([]byte(logLevel.of(getenv))))
	var err error
	c.Parser.Avro, err = parseSchema(avroSchema.of(getenv), c.Parser.MetadataKey, read)
	e.fault(avroSchema, err)
	o.Timeout, o.Avro, o.MetadataKey = c.Timeout, c.Parser.Avro, c.Parser.MetadataKey
	e.sinks(&c, o)
	e.deadLetters(&c, o)
	return c, errors.Join(e.faults...)
}
