package function

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// environment reads variables and keeps what is wrong with them.
type environment struct {
	get    func(string) string
	faults []error
}

func (e *environment) fault(v Variable, err error) {
	if err != nil {
		e.faults = append(e.faults, fmt.Errorf("%s: %w", v.Name, err))
	}
}

func (e *environment) sinks(c *Config, o sink.Options) {
	empty := true
	for text := range strings.SplitSeq(sinks.of(e.get), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		empty = false
		s, err := ParseSink(text, o)
		if err == nil && hasPlace(c.Sinks, s) {
			err = fmt.Errorf("%q twice; each place gets every change once", text)
		}
		if e.fault(sinks, err); err == nil {
			c.Sinks = append(c.Sinks, s)
			c.Parser.Bins = c.Parser.Bins || s.Bins
		}
	}
	if empty {
		e.fault(sinks, errors.New("empty, so changes have nowhere to go; set for example pubsub://PROJECT/TOPIC"))
	}
}

func (e *environment) deadLetters(c *Config, o sink.Options) {
	text := deadLetters.of(e.get)
	if text == "" {
		return
	}
	s, err := ParseSink(text, o)
	switch {
	case err != nil:
	case strings.HasPrefix(s.URL, "log:"):
		err = errors.New("a log is no place that lasts; set for example gs://BUCKET/dead-letters")
	case hasPlace(c.Sinks, s):
		err = fmt.Errorf("%q is one of %s, whose readers expect changes; name another place", text, sinks.Name)
	}
	if e.fault(deadLetters, err); err == nil {
		c.DeadLetters = &s
	}
}

// hasPlace reports whether one of specs stores where s does.
func hasPlace(specs []sink.Spec, s sink.Spec) bool {
	place := func(s sink.Spec) string {
		url, _, _ := strings.Cut(s.URL, "?")
		return strings.TrimRight(url, "/")
	}
	return slices.ContainsFunc(specs, func(other sink.Spec) bool { return place(other) == place(s) })
}

// port reads the number of a port; "" stays.
func (e *environment) port(v Variable) string {
	text := v.of(e.get)
	if text == "" {
		return ""
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		e.fault(v, fmt.Errorf("%q is no port between 0 and %d", text, math.MaxUint16))
	}
	return strconv.FormatUint(n, 10)
}

// ports reads both ports, of which 0 is any.
func (e *environment) ports() (main, metrics string) {
	main, metrics = e.port(port), e.port(metricsPort)
	if main == metrics && main != "0" {
		e.fault(metricsPort, fmt.Errorf("%s is %s too; set another", metrics, port.Name))
	}
	return main, metrics
}

// More than these is a slip, and what is reckoned with it could overflow.
const (
	largestSize  = int64(1) << 40 // bytes
	longestDelay = 24 * time.Hour
)

func (e *environment) size(v Variable) int64 {
	text := v.of(e.get)
	n, err := sink.ParseSize(text)
	if n > largestSize {
		err = fmt.Errorf("%s is more than %d bytes", text, largestSize)
	}
	e.fault(v, err)
	return n
}

func (e *environment) number(v Variable) int {
	text := v.of(e.get)
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		e.fault(v, fmt.Errorf("%q is no number from 1 to %d", text, math.MaxInt32))
	}
	return int(n)
}

func (e *environment) duration(v Variable) time.Duration {
	text := v.of(e.get)
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d <= 0:
		e.fault(v, fmt.Errorf("%q is no duration; write for example 9s", text))
	case d > longestDelay:
		e.fault(v, fmt.Errorf("%s is more than %s", text, longestDelay))
	}
	return d
}
