package settings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/nearest"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/intake"
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
		if value != "" {
			value = fmt.Sprintf("%d, not shown", len(x.settings.Tokens.Own))
		}
	case tokensSecret:
		if value != "" && x.settings.Tokens.Secret == nil {
			value = "not shown" // it may be a token
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
	topicLimit    = 10_000_000       // of Pub/Sub, for a message, in bytes
	queueLimit    = 1 << 20          // of SQS, for a message, in bytes
	eventLimit    = 6 << 20          // of AWS Lambda, for an event, in bytes
)

// warn adds warnings about settings that are valid but probably not what was meant.
func (x *Examination) warn() {
	s, getenv := &x.settings, x.environment.Getenv
	if deadLetters.in(getenv) == "" {
		x.add(deadLetters, "not set, so a change that can never be stored is refused, and its sender may send it again and again; set for example %s", x.environment.deadLettersExample())
	}
	if s.DeadLetters != nil {
		x.warnOfDeadLetters(s.DeadLetters.URL)
	}
	if s.Timeout >= xdrTimeout {
		x.add(timeout, "%s, but XDR waits %s for a reply, which has to come back too; set for example %s", s.Timeout, xdrTimeout, timeout.Default)
	}
	if s.Limits.Body > frontEndLimit && !x.environment.Lambda {
		x.add(maxBody, "more than %d bytes reach a service on Cloud Run only with HTTP/2 end to end (--use-http2)", frontEndLimit)
	}
	for _, spec := range s.Sinks {
		x.warnOfSink(spec.URL)
	}
	if s.Fence != nil && memoryFence.in(getenv) != "" {
		x.add(memoryFence, "an instance remembers only what it published itself, until it ends; with several instances use a fence in Aerospike, one of %s", sinks.Name)
	}
	if x.environment.Lambda {
		x.warnOnLambda()
	}
	if getenv("FUNCTION_TARGET") == "" {
		return
	}
	for _, v := range []Variable{host, metricsPort, maxHeader, headerTime} {
		if x.isSet(v) {
			x.add(v, "has no effect under the Functions Framework, whose server has its own")
		}
	}
}

// add adds a warning.
func (x *Examination) add(v Variable, text string, args ...any) {
	x.Warnings = append(x.Warnings, Finding{v.Name, fmt.Sprintf(text, args...)})
}

// isSet reports whether the environment has the variable.
func (x *Examination) isSet(v Variable) bool {
	return strings.TrimSpace(x.environment.Getenv(v.Name)) != ""
}

// warnOfDeadLetters adds a warning if dead letters may be too large for their sink.
func (x *Examination) warnOfDeadLetters(url string) {
	what, limit, size := "topic", int64(topicLimit), "10 MB"
	switch {
	case strings.HasPrefix(url, "pubsub:"):
	case strings.HasPrefix(url, "sqs:"):
		what, limit, size = "queue", queueLimit, "1 MiB"
	default:
		return
	}
	if x.settings.Limits.Inflated >= limit {
		x.add(deadLetters, "%s: a %s takes messages up to %s, so a larger change, or a larger body that cannot be read, gets a 503 every time; set for example %s", url, what, size, x.environment.deadLettersExample())
	}
}

// warnOfSink adds a warning about the parameters of a sink, if there is one.
func (x *Examination) warnOfSink(url string) {
	u, err := sink.ParseURL(url)
	if err != nil {
		return
	}
	q := u.Query()
	linger, _ := time.ParseDuration(q.Get("linger")) // which the sink has parsed
	switch {
	case u.Scheme == "log":
		x.add(sinks, "%s: a log is not durable, but what is written there counts as stored", url)
	case u.Scheme == "pubsub" && !q.Has("ordering"):
		x.add(sinks, "%s: without ordering a subscriber may get the versions of a record in any order; add for example ordering=256", url)
	case linger > 0 && x.environment.OneAtATime:
		x.add(sinks, "%s: one request runs at a time, so nothing joins an object while it waits, and each request takes %s longer; leave linger out", url, linger)
	}
}

// warnOnLambda adds warnings about settings that mean something else on AWS Lambda.
func (x *Examination) warnOnLambda() {
	s := &x.settings
	for _, v := range ofServers {
		if x.isSet(v) {
			x.add(v, "has no effect on AWS Lambda, where there is no server of this program")
		}
	}
	if x.isSet(maxBody) && s.Limits.Body > eventLimit {
		x.add(maxBody, "AWS Lambda takes events up to 6 MiB, which are about 4.5 MB of a body in Base64; a load balancer takes bodies up to 1 MB")
	}
	memory, err := strconv.ParseInt(x.environment.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err == nil && memory > 0 && inflatedMemory(s.Limits.Inflated) > memory<<20 {
		x.add(maxInflated, "a body of %d bytes takes more than the %d MB of this function; set less, or give it more memory", s.Limits.Inflated, memory)
	}
	if !s.Tokens.Any() && !x.isSet(tokensSecret) {
		x.add(tokensSecret, "neither this nor %s is set, so whoever reaches the function can store changes, unless what is in front of it asks for credentials", tokens.Name)
	}
}

// processMemory is what a process takes without requests, in bytes.
const processMemory = 40 << 20

// inflatedMemory returns the memory of a process with a request of that many bytes inflated.
// The README has the factor.
func inflatedMemory(inflated int64) int64 { return processMemory + inflated*8/5 }

// prefix is what users may put before the names of our variables, which have no prefix.
const prefix = "AEROSINK_"

// warnOfNames adds warnings about variables whose names look like misspelled ones of ours.
func (x *Examination) warnOfNames(names []string) {
	var known []string
	for _, v := range x.environment.known() {
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

// Connection is the result of checking a sink, a schema in the cloud, or a secret.
type Connection struct {
	Variable string // the variable that names it
	URL      string // or ARN
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

// Connect checks, in at most 10 s, whether the sinks, the schema and the secret that the
// environment names exist and may be used. It stores nothing.
func (x *Examination) Connect(ctx context.Context) []Connection {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var specs []sink.Spec
	var all []Connection
	if path := avroSchema.in(x.environment.Getenv); isURL(path) {
		_, err := parseSchema(path, x.settings.Parser.MetadataKey, x.environment.readSchema)
		all, specs = append(all, Connection{Variable: avroSchema.Name, URL: path, Err: err}), append(specs, sink.Spec{})
	}
	if read := x.settings.Tokens.Secret; read != nil {
		specs, all = append(specs, sink.Spec{Probe: func(ctx context.Context) error {
			text, err := read(ctx)
			if err == nil {
				_, err = intake.ParseSecret(text)
			}
			return err
		}}), append(all, Connection{Variable: tokensSecret.Name, URL: tokensSecret.in(x.environment.Getenv)})
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
