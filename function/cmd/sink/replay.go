package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/sink"
)

// replayArguments are what stands behind sink replay.
type replayArguments struct {
	from, to, tokenFile, checkpoint string

	filter replay.Filter
	rate   float64
	dryRun bool
}

// replayTimeout bounds what a sink does for a chunk where TIMEOUT is not set. Nobody
// waits for an answer, as XDR does of a request's.
const replayTimeout = time.Minute

// replayFrom replays FROM to the sinks of the environment, or those of -to.
func replayFrom(ctx context.Context, p process, args []string) error {
	var a replayArguments
	flags := a.flags(time.Now())
	if err := a.parse(flags, args); errors.Is(err, flag.ErrHelp) {
		return replayHelp(p.stdout, flags)
	} else if err != nil {
		return fmt.Errorf("%w; see sink replay -help", err)
	}
	o, err := a.options(p)
	if err != nil {
		return fmt.Errorf("sink replay: %w", err)
	}
	summary, err := replay.Run(ctx, o)
	verb := "replayed: "
	if a.dryRun {
		verb = "there are: "
	}
	_, written := fmt.Fprintln(p.stdout, verb+summary.String())
	return errors.Join(err, summary.Err(), written)
}

func (a *replayArguments) flags(now time.Time) *flag.FlagSet {
	f := flag.NewFlagSet("sink replay", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&a.to, "to", "", "where to: `SINKS` as in the environment, or http(s):// for an HTTP destination (default: those of SINKS)")
	f.Func("since", "only what changed at this `TIME` or later: RFC 3339, a day, or how long ago, as 36h; of dead letters, when they came", pastTime(&a.filter.Since, now))
	f.Func("until", "only what changed before this `TIME`", pastTime(&a.filter.Until, now))
	f.Func("namespace", "only this `NAMESPACE`, once for each", appendTo(&a.filter.Namespaces))
	f.Func("set", "only this `SET`, once for each; -set= is that of the records in none", appendTo(&a.filter.Sets))
	f.Func("rate", "most changes a `SECOND`; 0 is no limit (default 0)", a.setRate)
	f.BoolVar(&a.dryRun, "dry-run", false, "read and count, store nothing")
	f.StringVar(&a.checkpoint, "checkpoint", "", "a `FILE` that holds how far it has come; the same command goes on from there")
	f.StringVar(&a.tokenFile, "token-file", "", "a `FILE` with the bearer token of an HTTP destination (default: REPLAY_TOKEN of the environment)")
	return f
}

func pastTime(to *time.Time, now time.Time) func(string) error {
	return func(text string) (err error) {
		if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
			*to = now.Add(-ago)
			return nil
		}
		if *to, err = time.Parse(time.DateOnly, text); err != nil {
			*to, err = time.Parse(time.RFC3339, text)
		}
		if err != nil {
			return errors.New("write 2026-11-22T12:00:00Z, 2026-11-22 or 36h")
		}
		return nil
	}
}

func (a *replayArguments) setRate(text string) (err error) {
	if a.rate, err = strconv.ParseFloat(text, 64); err != nil || !(a.rate >= 0) {
		return errors.New("write how many changes a second, as 500 or 0.5")
	}
	return nil
}

func appendTo(to *[]string) func(string) error {
	return func(text string) error {
		*to = append(*to, text)
		return nil
	}
}

// parse reads args. FROM may stand before, between or behind the flags.
func (a *replayArguments) parse(flags *flag.FlagSet, args []string) error {
	for {
		if err := flags.Parse(args); err != nil {
			return err
		}
		switch {
		case flags.NArg() == 0 && a.from == "":
			return errors.New("sink replay: where from? Write sink replay gs://BUCKET/PREFIX, or the path of a folder or file")
		case flags.NArg() == 0:
			return nil
		case a.from != "":
			return fmt.Errorf("sink replay: what is %q? It reads from one place, which is %s", flags.Arg(0), a.from)
		}
		a.from, args = flags.Arg(0), flags.Args()[1:]
	}
}

func replayHelp(stdout io.Writer, flags *flag.FlagSet) error {
	_, err := io.WriteString(stdout, "sink replay FROM [flags]  read an archive or dead letters back, in any of the formats they are written in, to the\n"+
		"                          sinks of the environment; FROM is gs://BUCKET/PREFIX, or the path of a folder or file\n\n")
	flags.SetOutput(stdout)
	flags.PrintDefaults()
	return err
}

// options returns what the arguments and the environment say.
func (a *replayArguments) options(p process) (replay.Options, error) {
	destinations, sinks, err := a.targets(p.getenv)
	if err != nil {
		return replay.Options{}, err
	}
	c, err := function.LoadConfig(a.environment(p.getenv, sinks), p.stdout)
	if err != nil {
		return replay.Options{}, err
	}
	o := replay.Options{
		From: a.from, Filter: a.filter, To: destinations, Parser: c.Parser, Rate: a.rate, Checkpoint: a.checkpoint,
		Out: p.stderr, Terminal: isTerminal(p.stderr),
	}
	if len(sinks) > 0 {
		o.To = append(o.To, c.Sinks...)
	}
	if a.dryRun {
		o.To = nil
	}
	return o, nil
}

// targets parts what is to have the changes into HTTP destinations and the URLs of
// sinks.
func (a *replayArguments) targets(getenv func(string) string) (destinations []sink.Spec, sinks []string, err error) {
	to := a.to
	if to == "" {
		to = getenv("SINKS")
	}
	for text := range strings.SplitSeq(to, ",") {
		switch text = strings.TrimSpace(text); {
		case text == "":
		case strings.HasPrefix(text, "http:"), strings.HasPrefix(text, "https:"):
			u, err := url.Parse(text)
			if err != nil || u.Host == "" {
				return nil, nil, errors.New("-to: an HTTP destination is no URL; write https://HOST/PATH")
			}
			token, err := a.token(getenv)
			if err != nil {
				return nil, nil, err
			}
			destinations = append(destinations, replay.Destination(u, token, replayTimeout))
		case isBelow(text, a.from) && !a.dryRun:
			return nil, nil, fmt.Errorf("%s is where it is read from: each change would be there twice; name other sinks with -to", text)
		default:
			sinks = append(sinks, once(text))
		}
	}
	if len(destinations) == 0 && len(sinks) == 0 && !a.dryRun {
		return nil, nil, errors.New("where to? Set SINKS, or write -to SINKS")
	}
	return destinations, sinks, nil
}

// isBelow reports whether the URL of a sink is an archive at or below the prefix from.
func isBelow(text, from string) bool {
	place, _, _ := strings.Cut(text, "?")
	folder := func(url string) string { return strings.TrimRight(url, "/") + "/" }
	return strings.HasPrefix(from, "gs:") && strings.HasPrefix(folder(place), folder(from))
}

// once makes the URL of an archive one that shares no object between Puts, so that the
// names of objects follow from the chunks alone.
func once(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "gs" || u.Query().Has("linger") {
		return text
	}
	q := u.Query()
	q.Set("linger", "0s")
	u.RawQuery = q.Encode()
	return u.String()
}

// environment is that of the process with the sinks that were chosen, and without dead
// letters: what is refused is told, and stays where it is.
func (a *replayArguments) environment(getenv func(string) string, sinks []string) func(string) string {
	return func(name string) string {
		value := getenv(name)
		switch {
		case name == "SINKS" && len(sinks) == 0:
			return "log:" // it is not opened
		case name == "SINKS":
			return strings.Join(sinks, ",")
		case name == "DEAD_LETTERS":
			return ""
		case name == "TIMEOUT" && value == "":
			return replayTimeout.String()
		}
		return value
	}
}

func (a *replayArguments) token(getenv func(string) string) (string, error) {
	if a.tokenFile == "" {
		return getenv("REPLAY_TOKEN"), nil
	}
	text, err := os.ReadFile(a.tokenFile)
	if err != nil {
		return "", fmt.Errorf("read -token-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// isTerminal reports whether a person looks at what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
