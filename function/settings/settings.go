// Package settings reads the function's environment variables: a table of variables, what
// their values mean, and what is wrong or questionable about them.
//
//  1. [Environment.Parse] and [Environment.Load] turn the environment into [Settings].
//  2. [Environment.Examine] does the same for people: every value, every error, every
//     warning, and whether the sinks can be reached.
//
// The variables are declared once, below.
package settings

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/sink"
)

// Variable is one environment variable.
type Variable struct {
	Name    string
	Default string // the value if it is empty or not set; "" is none
	Unit    string // of the value: size, duration, URL …
	Meaning string
}

// The variables that the function reads.
var (
	port         = Variable{"PORT", "8080", "port", "port of the server"}
	host         = Variable{"HOST", "", "address", "address on which the server and its metrics listen, such as `127.0.0.1`; if not set, all"}
	metricsPort  = Variable{"METRICS_PORT", "", "port", "port of `/metrics` for Prometheus; if not set, there is none"}
	sinks        = Variable{"SINKS", "", "URLs", "sinks, each of which gets every change: URLs separated by commas; required"}
	deadLetters  = Variable{"DEAD_LETTERS", "", "URL", "sink for changes that can never be stored: %s URL; if not set, they are refused"}
	memoryFence  = Variable{"FENCE", "", "memory", "`memory`, or for example `memory?size=64MiB`: a fence, which drops duplicates and older versions, as far as this instance remembers; one in Aerospike is one of `SINKS`"}
	metadataKey  = Variable{"METADATA_KEY", "metadata", "name", "member of flat JSON, or field or map entry of Avro, that holds the metadata"}
	avroSchema   = Variable{"AVRO_SCHEMA", "", "path, URL", "path or %s URL of the schema of bare Avro data; container files have their own"}
	tokensFile   = Variable{intake.TokensFile, "", "path", "path of a file with bearer tokens, one per line, of which a request must have one; reloaded when it changes"}
	tokens       = Variable{"AUTH_TOKENS", "", "tokens", "bearer tokens separated by commas, in addition to those in the file"}
	tokensSecret = Variable{intake.TokensSecret, "", "ARN", "ARN of a secret in AWS Secrets Manager with bearer tokens, one per line, in addition to the others; read again after 5 minutes, and when a request has an unknown token"}
	maxBody      = Variable{intake.MaxBody, "32MiB", "size", "largest request body, as sent"}
	maxInflated  = Variable{intake.MaxInflated, "64MiB", "size", "largest request body, decompressed"}
	maxInFlight  = Variable{intake.MaxInFlight, "128MiB", "size", "largest sum of all request bodies at once, as sent and decompressed; beyond it the status is 429"}
	maxChanges   = Variable{"MAX_CHANGES", "10000", "number", "most changes per request"}
	maxChange    = Variable{"MAX_CHANGE", "16MiB", "size", "largest change"}
	maxDepth     = Variable{"MAX_DEPTH", "64", "number", "deepest nesting of lists and maps"}
	maxHeader    = Variable{intake.MaxHeader, "64KiB", "size", "largest request header"}
	headerTime   = Variable{"HEADER_TIMEOUT", "5s", "duration", "time for the header of a request to arrive"}
	bodyTime     = Variable{intake.BodyTimeout, "10s", "duration", "time for the body of a request to arrive"}
	timeout      = Variable{"TIMEOUT", "9s", "duration", "time to make the changes of a request durable; XDR waits 10s for its reply"}
	basePath     = Variable{"BASE_PATH", "", "path", "path of a custom domain's mapping, such as `/changes`, which requests have before their own path; it is removed"}
	logLevel     = Variable{"LOG_LEVEL", "info", "level", "lowest level to log: `debug`, `info`, `warn` or `error`; user keys are logged only at `debug`"}
	project      = Variable{"GOOGLE_CLOUD_PROJECT", "", "name", "project in the trace of log lines; detected on Cloud Run"}
)

// allVariables are the variables of all programs.
var allVariables = []Variable{
	port, host, metricsPort, sinks, deadLetters, memoryFence, metadataKey, avroSchema, tokensFile, tokens, tokensSecret,
	maxBody, maxInflated, maxInFlight, maxChanges, maxChange, maxDepth, maxHeader, headerTime, bodyTime, timeout, basePath, logLevel, project,
}

// ofServers are the variables that have no effect on AWS Lambda, where there is no server of
// ours, nor any of Google's.
var ofServers = []Variable{port, host, metricsPort, maxHeader, headerTime, bodyTime, project}

// Variables returns all variables that the function reads itself in this environment. The
// clients of the clouds read more, PUBSUB_EMULATOR_HOST and AWS_ENDPOINT_URL among them.
func (e Environment) Variables() []Variable {
	var all []Variable
	for _, v := range allVariables {
		switch {
		case e.Lambda && slices.Contains(ofServers, v), v == basePath && !e.Lambda, v == tokensSecret && e.Secret == nil:
			continue
		case v == deadLetters:
			v.Meaning = fmt.Sprintf(v.Meaning, anyOf(e.Sinks.Offered("gs", "pubsub", "s3", "sqs")))
		case v == avroSchema:
			_, schemes, _ := strings.Cut(anyOf(e.Sinks.Offered("gs", "s3")), " ")
			v.Meaning = fmt.Sprintf(v.Meaning, schemes)
		}
		all = append(all, v)
	}
	return all
}

// known returns the variables whose names are not misspelled: those of this environment, and
// those of servers, about which there are warnings of their own.
func (e Environment) known() []Variable {
	all := e.Variables()
	if e.Lambda {
		all = append(all, ofServers...)
	}
	if e.Secret == nil {
		all = append(all, tokensSecret) // an error says that it cannot be read
	}
	return all
}

// anyOf returns "a `gs:` or `pubsub:`" for these schemes.
func anyOf(schemes []string) string {
	text := ""
	for i, scheme := range schemes {
		switch {
		case i == 0 && scheme[0] == 's':
			text = "an "
		case i == 0:
			text = "a "
		case i == len(schemes)-1:
			text += " or "
		default:
			text += ", "
		}
		text += "`" + scheme + ":`"
	}
	return text
}

// in returns the variable's value in an environment, or its default.
func (v Variable) in(getenv func(string) string) string {
	if value := strings.TrimSpace(getenv(v.Name)); value != "" {
		return value
	}
	return v.Default
}

// Settings are the parsed and validated settings of an environment.
type Settings struct {
	Host        string // "" is all addresses
	Port        string
	MetricsPort string // "" is none
	Sinks       []sink.Spec
	DeadLetters *sink.Spec      // nil is none
	Fence       *sink.FenceSpec // nil is none
	Parser      formats.Parser
	Limits      intake.Limits
	BasePath    string // with a slash in front, and none behind; "" is none
	Tokens      intake.Tokens
	Timeout     time.Duration
	LogLevel    slog.Level
}
