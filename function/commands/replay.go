package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// replayTimeout is the default of TIMEOUT for a replay. It can be longer than that of the
// server, because XDR does not wait for a replay.
const replayTimeout = time.Minute

// replayOptions are the flags of replay.
type replayOptions struct {
	to, tokenFile, checkpoint string

	filter objects.Filter
	rate   float64
	dryRun bool

	allowEmpty bool
}

// flags defines the flags. Durations in them count back from now.
func (o *replayOptions) flags(f *flag.FlagSet, now time.Time) {
	f.StringVar(&o.to, "to", "", "store changes in `SINKS`, written as in the variable, or POST them to an http:// or https:// URL (default: the variable SINKS)")
	f.Func("since", "only changes made at this `TIME` or later: RFC 3339, a day, or how long ago, as in 36h; for dead letters, the time they were stored", pastTime(&o.filter.Since, now))
	f.Func("until", "only changes made before this `TIME`", pastTime(&o.filter.Until, now))
	f.Func("namespace", "only changes in this `NAMESPACE`; may be repeated", appendTo(&o.filter.Namespaces))
	f.Func("set", "only changes in this `SET`; may be repeated; -set= selects records in no set", appendTo(&o.filter.Sets))
	f.Func("rate", "store at most `N` changes per second; 0 is no limit (default 0)", parseRate(&o.rate))
	f.BoolVar(&o.dryRun, "dry-run", false, "read and count the changes, store nothing")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "succeed even if there is nothing to read")
	f.StringVar(&o.checkpoint, "checkpoint", "", "keep the progress in `FILE`; after an interruption, the same command continues from there")
	f.StringVar(&o.tokenFile, "token-file", "", "a `FILE` with the bearer token for the URL of -to (default: the variable REPLAY_TOKEN)")
}

// run reads the changes in from, and stores them again.
func (o *replayOptions) run(ctx context.Context, from string, p Program, streams cli.Streams) error {
	options, err := o.options(from, p, streams)
	if err != nil {
		return err
	}
	summary, err := replay.Run(ctx, options)
	verb := "replayed"
	switch restored := options.Restore != nil; {
	case restored && o.dryRun:
		verb = "would restore"
	case restored:
		verb = "restored"
	case o.dryRun:
		verb = "found"
	}
	_, written := fmt.Fprintf(streams.Stdout, "%s: %s\n", verb, summary)
	return errors.Join(err, summary.Err(), written)
}

// options returns the options of the replay.
func (o *replayOptions) options(from string, p Program, streams cli.Streams) (replay.Options, error) {
	restore, err := o.restoring()
	if err != nil {
		return replay.Options{}, err
	}
	destinations, sinks, err := o.targets(from, p.Environment.Getenv)
	if err != nil {
		return replay.Options{}, err
	}
	e := replayEnvironment(p.Environment, sinks)
	if o.to != "" {
		e.Names = map[string]string{"SINKS": "-to"}
	}
	c, err := e.Load(sink.Options{Log: streams.Stdout})
	if err != nil {
		return replay.Options{}, err
	}
	to := destinations
	switch {
	case o.dryRun:
		to = nil
	case len(sinks) > 0:
		to = append(to, c.Sinks...)
	}
	return replay.Options{
		From: from, Buckets: p.Buckets, Filter: o.filter, To: to, Parser: c.Parser, Restore: restore, Rate: o.rate, Checkpoint: o.checkpoint, AllowEmpty: o.allowEmpty,
		Out: streams.Stderr, Terminal: cli.IsTerminal(streams.Stderr),
	}, nil
}

// targets returns where the changes go: HTTP destinations, and the URLs of sinks.
func (o *replayOptions) targets(from string, getenv func(string) string) (destinations []sink.Spec, sinks []string, err error) {
	to := o.to
	if to == "" {
		to = getenv("SINKS")
	}
	for text := range sink.SplitURLs(to) {
		switch {
		case strings.HasPrefix(text, "http:"), strings.HasPrefix(text, "https:"):
			u, err := url.Parse(text)
			if err != nil || u.Host == "" {
				return nil, nil, cli.Usagef("-to: invalid URL of an HTTP destination: want https://HOST/PATH")
			}
			token, err := o.token(getenv)
			if err != nil {
				return nil, nil, err
			}
			destinations = append(destinations, replay.Destination(u, token, replayTimeout))
		case isBelow(text, from) && !o.dryRun:
			return nil, nil, cli.Usagef("%s is where the changes are read from: it would hold each of them twice; name other sinks with -to", text)
		default:
			sinks = append(sinks, replayURL(text))
		}
	}
	if len(destinations) == 0 && len(sinks) == 0 && !o.dryRun {
		return nil, nil, cli.Usagef("no sinks: set SINKS, or name them with -to")
	}
	return destinations, sinks, nil
}

// isBelow reports whether the sink with the URL text is an archive in from.
func isBelow(text, from string) bool {
	folder := func(url string) string {
		url, _, _ = strings.Cut(url, "?")
		return strings.TrimRight(url, "/") + "/"
	}
	scheme, _, _ := strings.Cut(from, ":")
	return isBucket(scheme) && strings.HasPrefix(folder(text), folder(from))
}

// isBucket reports whether URLs with the scheme name buckets, and so archives.
func isBucket(scheme string) bool { return scheme == "gs" || scheme == "s3" }

// replayURL returns the URL of a sink with what a replay needs, unless it says otherwise.
//
// An archive gets linger=0s, so that it writes one object for each chunk of the replay. The
// names of objects then depend only on the chunks, and a second replay of the same archive
// writes the same objects. A queue of SQS gets dedup=off: it would drop what it was sent in the
// last five minutes, even if nobody has it any more.
func replayURL(text string) string {
	name, value := "linger", "0s"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return text
	case u.Scheme == "sqs":
		name, value = "dedup", "off"
	case !isBucket(u.Scheme):
		return text
	}
	q := u.Query()
	if q.Has(name) {
		return text
	}
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// replayEnvironment returns the environment with other sinks, and without dead letters: a
// replay only reports the changes that are refused.
func replayEnvironment(e settings.Environment, sinks []string) settings.Environment {
	getenv := e.Getenv
	e.Getenv = func(name string) string {
		value := getenv(name)
		switch {
		case name == "SINKS" && len(sinks) == 0:
			return "log:" // valid, and never opened
		case name == "SINKS":
			return strings.Join(sinks, ",")
		case name == "DEAD_LETTERS":
			return ""
		case name == "TIMEOUT" && value == "":
			return replayTimeout.String()
		}
		return value
	}
	return e
}

// token returns the bearer token for HTTP destinations.
func (o *replayOptions) token(getenv func(string) string) (string, error) {
	if o.tokenFile == "" {
		return getenv("REPLAY_TOKEN"), nil
	}
	text, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return "", fmt.Errorf("read -token-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// pastTime returns the parser of a time, or of a duration before now.
func pastTime(to *time.Time, now time.Time) func(string) error {
	return func(text string) (err error) {
		if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
			*to = now.Add(-ago)
			return nil
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
			if *to, err = time.Parse(layout, text); err == nil {
				return nil
			}
		}
		return errors.New("want 2026-11-22T12:00:00Z, 2026-11-22T12:00Z, 2026-11-22 or 36h")
	}
}

// parseRate returns the parser of a number per second.
func parseRate(to *float64) func(string) error {
	return func(text string) (err error) {
		if *to, err = strconv.ParseFloat(text, 64); err != nil || !(*to >= 0) {
			return errors.New("want a number per second, such as 500 or 0.5")
		}
		return nil
	}
}

func appendTo(to *[]string) func(string) error {
	return func(text string) error {
		*to = append(*to, text)
		return nil
	}
}
