package function

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/nearest"
)

const (
	patience      = 10 * time.Second // for which XDR waits for a reply
	frontEndLimit = 32 << 20         // of Cloud Run, for requests over HTTP/1.1
	messageLimit  = 10_000_000       // of Pub/Sub, in bytes
)

// warn notes what is allowed and seldom meant.
func (f *Findings) warn() {
	c := &f.config
	warn := func(v Variable, text string, args ...any) {
		f.Warnings = append(f.Warnings, Finding{v.Name, fmt.Sprintf(text, args...)})
	}
	if deadLetters.of(f.getenv) == "" {
		warn(deadLetters, "not set, so a change that can never be stored is refused, and its sender may send it for ever; set for example gs://BUCKET/dead-letters")
	}
	if s := c.DeadLetters; s != nil && strings.HasPrefix(s.URL, "pubsub:") && c.Limits.Inflated >= messageLimit {
		warn(deadLetters, "%s: a topic takes no message over 10 MB, so a larger change, or body that cannot be read, is answered with 503 for ever; set for example gs://BUCKET/dead-letters", s.URL)
	}
	if c.Timeout >= patience {
		warn(timeout, "%s, but XDR waits %s for a reply, which has to come back too; set for example %s", c.Timeout, patience, timeout.Default)
	}
	if c.Limits.Body > frontEndLimit {
		warn(maxBody, "more than %d bytes reach a service on Cloud Run only with HTTP/2 end to end (--use-http2)", frontEndLimit)
	}
	for _, s := range c.Sinks {
		u, err := url.Parse(s.URL)
		switch {
		case err != nil:
		case u.Scheme == "log":
			warn(sinks, "%s: a log is no place that lasts; what is written there counts as stored", s.URL)
		case u.Scheme == "pubsub" && !u.Query().Has("ordering"):
			warn(sinks, "%s: without ordering a subscriber may get the versions of a record in any order; add for example ordering=256", s.URL)
		}
	}
	if f.getenv("FUNCTION_TARGET") == "" {
		return
	}
	for _, v := range []Variable{metricsPort, maxHeader, headerTime} {
		if strings.TrimSpace(f.getenv(v.Name)) != "" {
			warn(v, "means nothing under the Functions Framework, whose server has its own")
		}
	}
}

// ourPrefix is what users put in front of the names of variables, which have none.
const ourPrefix = "AEROSINK_"

// warnOfNames notes variables that look like ours and are not.
func (f *Findings) warnOfNames(names []string) {
	var ours []string
	for _, v := range Variables() {
		ours = append(ours, v.Name)
	}
	for _, name := range names {
		if slices.Contains(ours, name) {
			continue
		}
		bare, prefixed := strings.CutPrefix(strings.ToUpper(name), ourPrefix)
		switch near := nearest.Strict(bare, ours); {
		case near != "":
			f.Warnings = append(f.Warnings, Finding{name, "no variable of ours; did you mean " + near + "?"})
		case prefixed:
			f.Warnings = append(f.Warnings, Finding{name, "no variable of ours"})
		}
	}
}
