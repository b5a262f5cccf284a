package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/audit"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// auditTimeout bounds one command to the database, with its retries.
const auditTimeout = 10 * time.Second

// auditUnfinished is the exit status of an audit that could not compare everything.
const auditUnfinished = 3

// printedFor is how long a rewind that is printed stays right.
const printedFor = time.Hour

// auditOptions are the flags of audit.
type auditOptions struct {
	against, output, findings, checkpoint, repair string

	ignore            []string
	since             time.Time
	margin, tolerance time.Duration
	exact             bool
	rate              float64
	most              int
}

// flags defines the flags. Durations in -since count back from now.
func (o *auditOptions) flags(f *flag.FlagSet, now time.Time) {
	f.StringVar(&o.against, "against", "", "`URL` of the database: aerospike://HOST:PORT/NAMESPACE[/SET], with parameters for TLS and users as a sink has them")
	f.Func("ignore-set", "do not compare records in this `SET`; may be repeated", appendTo(&o.ignore))
	f.Func("since", "compare only records that changed at this `TIME` or later: RFC 3339, a day, or how long ago, as in 36h", pastTime(&o.since, now))
	f.DurationVar(&o.margin, "margin", time.Minute, "the `TIME` that a change may take to reach the archive; later ones are not compared")
	f.DurationVar(&o.tolerance, "tolerance", 10*time.Second, "the `TIME` by which expiries may differ: the archive has them by the connector's clock")
	f.BoolVar(&o.exact, "exact", false, "read the last update time of every record; finds records that were created again with the same generation and expiry")
	f.Func("rate", "scan and read at most `N` records per second; 0 is no limit (default 0)", parseRate(&o.rate))
	f.StringVar(&o.checkpoint, "checkpoint", "", "keep the progress in `FILE`; after an interruption, the same command continues from there")
	f.StringVar(&o.output, "o", "text", "`FORMAT` of the output: text, or json with an object a line")
	f.IntVar(&o.most, "print", 20, "print the first `N` findings as text")
	f.StringVar(&o.findings, "findings", "", "write all findings to `FILE`, a JSON object a line")
	f.StringVar(&o.repair, "repair", "no", "`HOW` to ship missing and stale records again: print the commands that do it, or rewind XDR on all nodes now")
}

// run compares the archive in from with the database.
func (o *auditOptions) run(ctx context.Context, from string, p Program, streams cli.Streams) error {
	options, err := o.options(from, p, streams)
	if err != nil {
		return err
	}
	report := audit.Report{Out: streams.Stdout, JSON: o.output == "json", Most: o.most}
	if o.findings == "" {
		return o.audit(ctx, options, &report)
	}
	file, err := os.Create(o.findings)
	if err != nil {
		return cli.WithStatus(fmt.Errorf("create the file of findings: %w", err), auditUnfinished)
	}
	report.All = file
	err = o.audit(ctx, options, &report)
	if closed := file.Close(); closed != nil {
		err = errors.Join(err, cli.WithStatus(fmt.Errorf("write the file of findings: %w", closed), auditUnfinished))
	}
	return err
}

// options returns the options of the audit.
func (o *auditOptions) options(from string, p Program, streams cli.Streams) (audit.Options, error) {
	switch {
	case o.output != "text" && o.output != "json":
		return audit.Options{}, cli.Usagef("-o %s: want text or json", o.output)
	case o.repair != "no" && o.repair != "print" && o.repair != "rewind":
		return audit.Options{}, cli.Usagef("-repair %s: want no, print or rewind", o.repair)
	case o.margin < 0 || o.tolerance < 0 || o.most < 0:
		return audit.Options{}, cli.Usagef("-margin, -tolerance and -print must not be negative")
	}
	against, err := parseCluster("-against", o.against, "aerospike://HOST:PORT/NAMESPACE[/SET]", nil)
	if err != nil {
		return audit.Options{}, err
	}
	fence, err := parseFence(from, against.Set)
	if err != nil {
		return audit.Options{}, err
	}
	c, err := replayEnvironment(p.Environment, nil).Load(sink.Options{Log: streams.Stdout})
	if err != nil {
		return audit.Options{}, err
	}
	return audit.Options{
		From: from, Buckets: p.Buckets, Fence: fence, Against: *against, Parser: c.Parser, Ignore: o.ignore, Since: o.since, Margin: o.margin, Tolerance: o.tolerance,
		Exact: o.exact, Rate: o.rate, Checkpoint: o.checkpoint, Out: streams.Stderr, Terminal: cli.IsTerminal(streams.Stderr),
	}, nil
}

// parseFence returns the cluster with the states of a fence, nil if from is something else.
func parseFence(from, set string) (*aerospike.Cluster, error) {
	if !strings.HasPrefix(from, "aerospike:") {
		return nil, nil
	}
	const want = "aerospike://HOST:PORT/NAMESPACE/SET, the URL of the fence"
	cluster, err := parseCluster("FROM", from, want, []string{"mode", "ttl", "on-unavailable", "timeout", "loop"})
	switch {
	case err != nil:
		return nil, err
	case cluster.Set == "":
		return nil, cli.Usagef("FROM: want %s", want)
	case set != "":
		return nil, cli.Usagef("a fence does not know sets, so -against must name a namespace only")
	}
	return cluster, nil
}

// parseCluster returns the cluster that a URL names. Parameters in ignored may be there and
// have no meaning here.
func parseCluster(what, text, want string, ignored []string) (*aerospike.Cluster, error) {
	u, err := sink.ParseURL(text)
	if err != nil || u.Scheme != "aerospike" {
		return nil, cli.Usagef("%s: want %s", what, want)
	}
	q := sink.NewQuery(u)
	for _, name := range ignored {
		q.Text(name, "")
	}
	cluster := aerospike.ParseCluster(u, q, auditTimeout)
	if err := q.End(); err != nil {
		return nil, cli.Usagef("%s: %w", what, err)
	}
	return &cluster, nil
}

// audit compares, and reports.
func (o *auditOptions) audit(ctx context.Context, options audit.Options, report *audit.Report) error {
	options.Found = report.Finding
	summary, err := audit.Run(ctx, options)
	if err == nil {
		err = report.Summary(&summary)
	}
	if err == nil && o.repair != "no" && summary.Found() > 0 {
		err = o.rewind(ctx, options.Against, &summary, report)
	}
	return outcome(&summary, err)
}

// rewind prints or performs the rewind that ships what the archive lacks.
func (o *auditOptions) rewind(ctx context.Context, against aerospike.Cluster, s *audit.Summary, report *audit.Report) error {
	performed, valid := o.repair == "rewind", printedFor
	if performed {
		valid = o.margin
	}
	var rewinds []audit.Rewind
	var err error
	if !s.Oldest.IsZero() {
		rewinds, err = audit.PlanRewind(ctx, against, s.Oldest, valid, performed)
	}
	return errors.Join(report.Rewinds(s, rewinds, performed), err)
}

// outcome returns the error of an audit, which decides the exit status.
func outcome(s *audit.Summary, err error) error {
	found := s.Found()
	switch {
	case err != nil:
		return cli.WithStatus(err, auditUnfinished)
	case !s.Complete():
		return cli.WithStatus(fmt.Errorf("incomplete, and %s: parts of the archive cannot be read; see above", plural.Of(int(found), "finding")), auditUnfinished)
	case found > 0:
		return errors.New(plural.Of(int(found), "finding"))
	}
	return nil
}
