package settings

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/function/fence"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/sink"
)

// parser parses variables and collects their errors.
type parser struct {
	Environment
	errs []error
}

// fail adds an error of a variable, unless it is nil.
func (p *parser) fail(v Variable, err error) {
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", cmp.Or(p.Names[v.Name], v.Name), err))
	}
}

func (p *parser) limits() intake.Limits {
	return intake.Limits{
		Body: p.size(maxBody), Inflated: p.size(maxInflated), InFlight: p.size(maxInFlight), Header: int(p.size(maxHeader)),
		HeaderTimeout: p.duration(headerTime), BodyTimeout: p.duration(bodyTime),
	}
}

// tokens parses the variables of tokens. It is an error if there is a secret that cannot be
// read here: without it, everybody would be admitted.
func (p *parser) tokens() intake.Tokens {
	t := intake.Tokens{File: tokensFile.in(p.Getenv)}
	if text := tokens.in(p.Getenv); text != "" {
		own, err := intake.ParseTokens(strings.Split(text, ","))
		p.fail(tokens, err)
		t.Own = own
	}
	arn := tokensSecret.in(p.Getenv)
	switch {
	case arn == "":
	case p.Secret == nil:
		p.fail(tokensSecret, fmt.Errorf("this program does not read secrets of AWS; set %s or %s", tokensFile.Name, tokens.Name))
	default:
		read, err := p.Secret(arn)
		p.fail(tokensSecret, err)
		t.Secret = read
	}
	return t
}

// basePath parses the path of a mapping.
func (p *parser) basePath() string {
	text := basePath.in(p.Getenv)
	if !p.Lambda || text == "" {
		return ""
	}
	if strings.ContainsAny(text, ":?# ") {
		p.fail(basePath, fmt.Errorf("invalid path %q: want for example /changes", text))
	}
	if text = strings.Trim(text, "/"); text == "" {
		return ""
	}
	return "/" + text
}

func (p *parser) sinks(s *Settings, o sink.Options) {
	empty, failed := true, false
	var all []sink.Spec // fences too
	for text := range sink.SplitURLs(sinks.in(p.Getenv)) {
		empty = false
		spec, err := p.Sinks.Parse(text, o)
		if err == nil && hasTarget(all, spec) {
			err = fmt.Errorf("%q twice; list each sink once", text)
		}
		if err == nil && spec.Fence != nil && s.Fence != nil {
			err = fmt.Errorf("%q is a second fence; name one", text)
		}
		if p.fail(sinks, err); err != nil {
			failed = true
			continue
		}
		all = append(all, spec)
		if spec.Fence != nil {
			s.Fence = spec.Fence
			continue
		}
		s.Sinks = append(s.Sinks, spec)
		s.Parser.Bins = s.Parser.Bins || spec.Bins
	}
	switch {
	case empty:
		p.fail(sinks, fmt.Errorf("not set, so changes have nowhere to go; set for example %s", p.sinkExample()))
	case len(s.Sinks) == 0 && !failed:
		p.fail(sinks, fmt.Errorf("only a fence, so changes have nowhere to go; add for example %s", p.sinkExample()))
	}
}

func (p *parser) deadLetters(s *Settings, o sink.Options) {
	text := deadLetters.in(p.Getenv)
	if text == "" {
		return
	}
	spec, err := p.Sinks.Parse(text, o)
	switch {
	case err != nil:
	case strings.HasPrefix(spec.URL, "log:"):
		err = fmt.Errorf("a log is not durable; set for example %s", p.deadLettersExample())
	case spec.Fence != nil:
		err = fmt.Errorf("%q is a fence, which stores no changes; set for example %s", text, p.deadLettersExample())
	case strings.HasPrefix(spec.URL, "aerospike:"):
		err = fmt.Errorf("a dead letter may have no digest to be stored under; set for example %s", p.deadLettersExample())
	case strings.HasPrefix(spec.URL, "kinesis:"):
		err = fmt.Errorf("a stream keeps its records for a day by default, and removes them whether or not somebody has looked at them; set for example %s", p.deadLettersExample())
	case hasTarget(s.Sinks, spec):
		err = fmt.Errorf("%q is one of %s, whose readers expect changes; name another one", text, sinks.Name)
	}
	if p.fail(deadLetters, err); err == nil {
		s.DeadLetters = &spec
	}
}

// fence parses the variable of the fence in memory. A fence in a database is one of the sinks.
func (p *parser) fence(s *Settings) {
	text := memoryFence.in(p.Getenv)
	if text == "" {
		return
	}
	spec, err := fence.Parse(text)
	if err == nil && s.Fence != nil {
		err = fmt.Errorf("%s names a fence too; remove one of them", sinks.Name)
	}
	if p.fail(memoryFence, err); err == nil {
		s.Fence = &spec
	}
}

// hasTarget reports whether one of specs stores in the same place as s.
func hasTarget(specs []sink.Spec, s sink.Spec) bool {
	target := func(s sink.Spec) string {
		url, _, _ := strings.Cut(s.URL, "?")
		return strings.TrimRight(url, "/")
	}
	return slices.ContainsFunc(specs, func(other sink.Spec) bool { return target(other) == target(s) })
}

// host parses an IP address, which may be in brackets, or a name.
func (p *parser) host() string {
	text := host.in(p.Getenv)
	bare := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		bare = text[1 : len(text)-1]
	}
	if _, err := netip.ParseAddr(bare); err != nil && strings.ContainsAny(text, "[]:/ ") {
		p.fail(host, fmt.Errorf("invalid address %q: want for example 127.0.0.1; the port is %s", text, port.Name))
	}
	return bare
}

// port parses the number of a port. It returns "" if none is set.
func (p *parser) port(v Variable) string {
	text := v.in(p.Getenv)
	if text == "" {
		return ""
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		p.fail(v, fmt.Errorf("invalid port %q: want 0 to %d", text, math.MaxUint16))
	}
	return strconv.FormatUint(n, 10)
}

// ports parses both ports. Port 0 means any free port, so both may be 0.
func (p *parser) ports() (main, metrics string) {
	main, metrics = p.port(port), p.port(metricsPort)
	if main == metrics && main != "0" {
		p.fail(metricsPort, fmt.Errorf("%s is %s too; set another", metrics, port.Name))
	}
	return main, metrics
}

// Upper bounds. Larger values are mistakes, and could overflow in calculations.
const (
	maxSize     = int64(1) << 40 // bytes
	maxDuration = 24 * time.Hour
)

func (p *parser) size(v Variable) int64 {
	text := v.in(p.Getenv)
	n, err := sink.ParseSize(text)
	if n > maxSize {
		err = fmt.Errorf("%s is more than %d bytes", text, maxSize)
	}
	p.fail(v, err)
	return n
}

func (p *parser) number(v Variable) int {
	text := v.in(p.Getenv)
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		p.fail(v, fmt.Errorf("invalid number %q: want 1 to %d", text, math.MaxInt32))
	}
	return int(n)
}

func (p *parser) duration(v Variable) time.Duration {
	text := v.in(p.Getenv)
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d <= 0:
		p.fail(v, fmt.Errorf("invalid duration %q: want for example 9s", text))
	case d > maxDuration:
		p.fail(v, fmt.Errorf("%s is more than %s", text, maxDuration))
	}
	return d
}
