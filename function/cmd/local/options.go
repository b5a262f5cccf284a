package main

import (
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// options are the flags of the pipeline. After check, the derived fields are set.
type options struct {
	once    bool
	play    bool
	file    string // "" plays the captures
	folder  string // "" is a temporary folder
	form    string
	timeout time.Duration

	node pipeline.NodeOptions

	listen string
	ports  int

	wire        string // the format between connector and function
	sinks       string // "" is those of the flags below
	data        string
	archive     string
	compression string
	ordering    int
	fence       string

	// Derived by check.
	format      format.Format
	environment map[string]string // of the function
	specs       []sink.Spec       // its sinks
}

func (o *options) flags(f *flag.FlagSet) {
	f.BoolVar(&o.once, "once", false, "play captured changes once, check that all of them came out, and exit; without the node")
	f.BoolVar(&o.play, "play", false, "play captured changes at the start")
	f.StringVar(&o.file, "xdr", "", "play the messages in `FILE` instead: hexadecimal, or JSON lines as testdata/xdr.jsonl")
	f.StringVar(&o.folder, "dir", "", "keep the objects in `FOLDER` (default: a temporary folder)")
	f.StringVar(&o.form, "o", pipeline.FormText, "show changes as `FORM`: text, line or json")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "with -once, how long the changes may take, as a `DURATION`")
	o.node.Flags(f)
	f.StringVar(&o.listen, "listen", "", "receive XDR at `HOST:PORT` (default: a free port of 127.0.0.1)")
	f.IntVar(&o.ports, "ports", 0, "use ports `N`+1 to N+5 for XDR, metrics, function, Pub/Sub and Cloud Storage; 0 is free ones")
	f.StringVar(&o.wire, "format", "json", "the `FORMAT` between connector and function: json, flat-json, message-pack or xdr")
	f.StringVar(&o.data, "data", "", "the `FORMAT` of messages: that of -format unless set; avro, bigquery, …")
	f.IntVar(&o.ordering, "ordering", defaultShards, "`N` ordering keys")
	f.StringVar(&o.archive, "archive", "", "the `FORMAT` of objects: ndjson unless set; avro or parquet")
	f.StringVar(&o.compression, "compression", "", "the `CODEC` of objects: none, gzip, zstd, snappy, …")
	f.StringVar(&o.fence, "fence", "", "drop repeats and older versions: memory, as in the variable `FENCE`")
	f.StringVar(&o.sinks, "sinks", "", "all sinks as `URLS`, as in the variable SINKS; Pub/Sub and Cloud Storage are the emulators")
}

// defaultShards is the number of ordering keys unless a flag says otherwise.
const defaultShards = 256

// check checks the flags, and derives what they mean together. It connects to nothing.
func (o *options) check() error {
	if err := pipeline.CheckForm(o.form); err != nil {
		return err
	}
	if o.ports < 0 || o.ports > 65535-5 {
		return cli.Usagef("-ports: %d is not a port that five can follow", o.ports)
	}
	if err := o.checkFormat(); err != nil {
		return err
	}
	if err := o.checkSinks(); err != nil {
		return err
	}
	if o.once {
		return o.checkOnce()
	}
	return o.node.Check()
}

func (o *options) checkFormat() (err error) {
	if o.format, err = formats.ByName(o.wire, pipeline.MetadataKey); err != nil {
		return cli.Usagef("-format: %w", err)
	}
	return nil
}

// checkSinks parses the sinks as the function will.
func (o *options) checkSinks() error {
	text, flags := o.sinks, "-sinks"
	if text == "" {
		text, flags = o.defaultSinks(), "-data, -ordering, -archive or -compression"
	} else if o.changesSinks() {
		return cli.Usagef("-sinks replaces -data, -ordering, -archive and -compression; write them into its URLs")
	}
	o.environment = map[string]string{"SINKS": text, "FENCE": o.fence}
	e := o.functionEnvironment()
	e.Names = map[string]string{"SINKS": flags, "FENCE": "-fence"}
	s, err := e.Parse(sink.Options{})
	if err != nil {
		return cli.Usagef("%w", err)
	}
	o.specs = s.Sinks
	if o.form == pipeline.FormJSON && slices.ContainsFunc(o.specs, func(s sink.Spec) bool { return strings.HasPrefix(s.URL, "log:") }) {
		return cli.Usagef("-sinks: log: prints to standard output, where -o json prints changes; leave one out")
	}
	return nil
}

// changesSinks reports whether one of the flags for the default sinks is set.
func (o *options) changesSinks() bool {
	return o.data != "" || o.archive != "" || o.compression != "" || o.ordering != defaultShards
}

// defaultSinks returns the topic and the bucket of the embedded cloud, as the flags say.
func (o *options) defaultSinks() string {
	topic, bucket := url.Values{}, url.Values{}
	for _, p := range []struct {
		of          url.Values
		name, value string
	}{{topic, "data", o.data}, {bucket, "format", o.archive}, {bucket, "compression", o.compression}} {
		if p.value != "" {
			p.of.Set(p.name, p.value)
		}
	}
	topic.Set("ordering", strconv.Itoa(o.ordering))
	urls := fmt.Sprintf("pubsub://%s/%s?%s,gs://%s/%s?%s", projectName, topicID, topic.Encode(), bucketName, prefix, bucket.Encode())
	return strings.TrimSuffix(urls, "?")
}

// functionEnvironment returns the environment of the function.
func (o *options) functionEnvironment() settings.Environment {
	return settings.Environment{Getenv: func(name string) string { return o.environment[name] }, Sinks: google.Sinks()}
}

// checkOnce refuses what the checker cannot read.
func (o *options) checkOnce() error {
	switch {
	case o.wire != "json" && o.wire != "flat-json":
		return cli.Usagef("-once checks changes in json and flat-json; leave out -format %s", o.wire)
	case o.sinks != "" || o.data != "" || o.archive != "" || o.compression != "" || o.fence != "" || o.ordering == 0:
		return cli.Usagef("-once checks messages of a shard and objects in NDJSON; leave out -sinks, -data, -archive, -compression, -fence and -ordering 0, or use -play instead of -once")
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

// xdrAddress returns the address of -listen, or of the first fixed port.
func (o *options) xdrAddress() string {
	if o.listen != "" {
		return o.listen
	}
	return o.port(1)
}
