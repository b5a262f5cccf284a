package local

import (
	"flag"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/aws"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// The sinks unless a flag or the environment names others.
const (
	queueSink    = "sqs://" + fake.Region + "/" + fake.Account + "/changes.fifo"
	streamSink   = "kinesis://" + fake.Region + "/" + fake.Account + "/changes"
	archiveSink  = "s3://archive/changes?region=" + fake.Region
	defaultSinks = queueSink + "," + streamSink + "," + archiveSink
)

// lambdaTimeout is the time limit of the function.
const lambdaTimeout = 12 * time.Second

// options are the flags. After check, the derived fields are set.
type options struct {
	getenv func(string) string

	once        bool
	play        bool
	file        string // "" plays the captures
	form        string
	timeout     time.Duration
	node        pipeline.NodeOptions
	listen      string
	ports       int
	wire        string // the format between connector and function
	fronts      string
	stage       string
	binaryTypes string
	concurrency int
	sinks       string // "" is the variable SINKS

	// Derived by check.
	format      format.Format
	gateways    []*gateway.Gateway // without their function
	environment settings.Environment
	specs       []sink.Spec // the sinks, and the dead letters if there are some
	isSet       bool        // whether somebody named the sinks
}

func (o *options) flags(f *flag.FlagSet) {
	f.BoolVar(&o.once, "once", false, "play captured changes once, check that all of them came out, and exit; without the node")
	f.BoolVar(&o.play, "play", false, "play captured changes at the start")
	f.StringVar(&o.file, "xdr", "", "play the messages in `FILE` instead: hexadecimal, or JSON lines as testdata/xdr.jsonl")
	f.StringVar(&o.form, "o", pipeline.FormText, "show changes as `FORM`: text, line or json")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "with -once, how long the changes may take, as a `DURATION`")
	o.node.Flags(f)
	f.StringVar(&o.listen, "listen", "", "receive XDR at `HOST:PORT` (default: a free port of 127.0.0.1)")
	f.IntVar(&o.ports, "ports", 0, "use ports from `N`+1 for XDR, metrics, AWS's services and each front; 0 is free ones")
	f.StringVar(&o.wire, "format", "json", "the `FORMAT` between connector and function: json, flat-json, message-pack or xdr")
	f.StringVar(&o.fronts, "front", "http-api,alb", "`NAMES` of the fronts to play")
	f.StringVar(&o.stage, "stage", "", "`NAME` of the stage of an API (default: $default of an HTTP API, prod of a REST API)")
	f.StringVar(&o.binaryTypes, "binary-media-types", "*/*", "`TYPES` of a REST API that are binary; with none of them it destroys binary bodies")
	f.IntVar(&o.concurrency, "concurrency", 1, "answer `N` invocations at once; Lambda answers one in a process, and starts others")
	f.StringVar(&o.sinks, "sinks", "", "all sinks as `URLS` (default: SINKS, or one of each service)")
}

// check checks the flags, and derives what they mean together. It connects to nothing.
func (o *options) check() (err error) {
	if err := pipeline.CheckForm(o.form); err != nil {
		return err
	}
	if o.format, err = formats.ByName(o.wire, pipeline.MetadataKey); err != nil {
		return cli.Usagef("-format: %w", err)
	}
	if o.concurrency < 1 {
		return cli.Usagef("-concurrency: %d is less than 1", o.concurrency)
	}
	if err := o.checkFronts(); err != nil {
		return err
	}
	if last := 3 + len(o.gateways); o.ports < 0 || o.ports > 65535-last {
		return cli.Usagef("-ports: %d is not a port that %d can follow", o.ports, last)
	}
	if err := o.checkSinks(); err != nil {
		return err
	}
	if o.once {
		return o.checkOnce()
	}
	return o.node.Check()
}

// checkFronts makes the gateways.
func (o *options) checkFronts() error {
	for _, name := range splitNames(o.fronts) {
		front, err := gateway.ParseFront(name)
		if err != nil {
			return cli.Usagef("-front: %w", err)
		}
		o.gateways = append(o.gateways, &gateway.Gateway{Front: front, Stage: o.stage, BinaryMediaTypes: splitNames(o.binaryTypes)})
	}
	if len(o.gateways) == 0 {
		return cli.Usagef("-front: no names")
	}
	return nil
}

// splitNames splits a list at its commas.
func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// checkSinks parses the sinks as the function will.
func (o *options) checkSinks() error {
	text := o.sinks
	names := map[string]string{"SINKS": "-sinks"}
	if text == "" {
		text, names = o.getenv("SINKS"), nil
	}
	if o.isSet = text != ""; !o.isSet {
		text = defaultSinks
	}
	o.environment = settings.Environment{
		Sinks: aws.Sinks(), Names: names, OneAtATime: o.concurrency == 1,
		Getenv: func(name string) string {
			switch {
			case name == "SINKS":
				return text
			case strings.HasPrefix(name, "AUTH_TOKENS"):
				return "" // the connector has none
			}
			return o.getenv(name)
		},
	}
	s, err := o.environment.Parse(sink.Options{})
	if err != nil {
		return cli.Usagef("%w", err)
	}
	o.specs = s.Sinks
	if o.form == pipeline.FormJSON && slices.ContainsFunc(o.specs, func(s sink.Spec) bool { return strings.HasPrefix(s.URL, "log:") }) {
		return cli.Usagef("-sinks: log: prints to standard output, where -o json prints changes; leave one out")
	}
	if s.DeadLetters != nil {
		o.specs = append(o.specs, *s.DeadLetters)
	}
	for _, spec := range o.specs {
		if err := checkPlace(spec.URL); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace refuses queues and streams that the fakes do not have.
func checkPlace(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "sqs" && u.Scheme != "kinesis" {
		return nil //nolint:nilerr // of another kind of sink, which has its own form
	}
	account, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Host != fake.Region || account != fake.Account {
		return cli.Usagef("%s: the fakes are in %s/%s", text, fake.Region, fake.Account)
	}
	return nil
}

// checkOnce refuses what the checker cannot read.
func (o *options) checkOnce() error {
	switch {
	case o.wire != "json":
		return cli.Usagef("-once checks changes in json; leave out -format %s", o.wire)
	case o.isSet || o.environment.Getenv("FENCE") != "" || o.environment.Getenv("DEAD_LETTERS") != "":
		return cli.Usagef("-once checks the default sinks; leave out -sinks, SINKS, FENCE and DEAD_LETTERS, or use -play instead of -once")
	}
	if front := o.gateways[0].Front; front == gateway.RESTCustom {
		return cli.Usagef("-once needs a front that shows failures; leave out -front %s", front)
	}
	return nil
}

// port returns the address of the i-th fixed port, or of a free one.
func (o *options) port(i int) string {
	if o.ports == 0 {
		return "127.0.0.1:0"
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.ports+i))
}

// xdrAddress returns the address of -listen, or of the first fixed port, and the flag to change
// it.
func (o *options) xdrAddress() pipeline.Address {
	switch {
	case o.listen != "":
		return pipeline.Address{HostPort: o.listen, Flag: "-listen"}
	case o.ports == 0:
		return pipeline.Address{HostPort: o.port(1), Flag: "-listen or -ports"}
	}
	return pipeline.Address{HostPort: o.port(1), Flag: "-ports"}
}
