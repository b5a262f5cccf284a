// Command local runs the whole pipeline in one process on loopback, to see it work and
// to try things out. Pub/Sub and Cloud Storage are embedded emulators; the function and
// the connector are the real ones; a source plays XDR messages to the connector over
// TCP, as an Aerospike node does. Run "local help" for the flags.
//
// The steps are [openCloud], [startPipeline], and then [options.playOnce], which checks
// that every change came out, or [options.follow], which runs until it is interrupted.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() { program().Main() }

func program() *cli.Program {
	var o options
	return &cli.Program{
		Name:    "local",
		Purpose: "local runs the connector, the function, and emulators of Pub/Sub and Cloud Storage in one process, and plays changes through them. It needs no Aerospike and no account.",
		Stamp:   stamp,
		Commands: []cli.Command{{
			Default: true, PathAs: "-xdr",
			Summary:  "play changes and show them as they come out, until SIGTERM or SIGINT",
			Examples: "local -once\nlocal -xdr testdata/xdr.jsonl\nlocal -listen 0.0.0.0:8901 -dir /tmp/objects",
			Flags:    o.flags,
			Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
				return o.run(ctx, streams)
			},
		}},
		Notes: "While it runs, a real database can ship to it too. It prints how.",
	}
}

// options are the flags.
type options struct {
	once    bool
	file    string // "" plays the captures
	folder  string // "" is a temporary folder
	address string
	format  string
	timeout time.Duration
}

func (o *options) flags(f *flag.FlagSet) {
	f.BoolVar(&o.once, "once", false, "play the changes once, check that all of them came out, and exit")
	f.StringVar(&o.file, "xdr", "", "play the messages in `FILE`: hexadecimal, one a line, or JSON lines as in testdata/xdr.jsonl (default: messages captured from a database)")
	f.StringVar(&o.folder, "dir", "", "keep the objects of Cloud Storage in `FOLDER` (default: a temporary folder)")
	f.StringVar(&o.address, "listen", "127.0.0.1:0", "receive XDR at `HOST:PORT`")
	f.StringVar(&o.format, "format", "json", "the `FORMAT` between connector and function: json or flat-json")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "with -once, how long the changes may take, as a `DURATION`")
}

// run starts the pipeline and plays messages through it.
func (o *options) run(ctx context.Context, streams cli.Streams) (err error) {
	frames, err := messages(o.file)
	if err != nil {
		return err
	}
	cloud, err := openCloud(ctx, o.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.close()) }()
	p, err := startPipeline(ctx, o, streams.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	out := &printer{w: streams.Stdout}
	out.overview(cloud, p)
	if o.once {
		return o.playOnce(ctx, frames, cloud, p, out)
	}
	out.instructions(cloud, p)
	return o.follow(ctx, frames, cloud, p, out)
}

// playOnce plays frames, prints the changes that come out, and checks that they are the same.
func (o *options) playOnce(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	checker, err := newChecker(frames, o.format)
	if err != nil {
		return err
	}
	source := &xdrtest.Source{Address: p.xdr.Addr().String(), Connections: 4}
	if err := source.Play(ctx, frames); err != nil {
		return fmt.Errorf("play %s: %w", cli.Count(len(frames), "message"), err)
	}
	checker.played()
	for checker.missing > 0 {
		received, err := cloud.pull(ctx)
		if err != nil {
			return fmt.Errorf("%s did not come out of Pub/Sub: %w", cli.Count(checker.missing, "change"), err)
		}
		for _, m := range received {
			out.message(m)
			if err := checker.checkMessage(m); err != nil {
				return err
			}
		}
	}
	objects, err := cloud.objects(ctx)
	if err != nil {
		return err
	}
	out.objects(objects)
	if err := checker.checkObjects(objects); err != nil {
		return err
	}
	return out.summary(checker, objects)
}

// follow plays frames and prints the changes that come out, until ctx ends.
func (o *options) follow(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
	played := make(chan error, 1)
	playing, stop := context.WithCancel(ctx)
	go func() {
		source := &xdrtest.Source{Address: p.xdr.Addr().String(), Connections: 4}
		played <- source.Play(playing, frames)
	}()
	for {
		received, err := cloud.pull(ctx)
		if err != nil {
			stop()
			return errors.Join(ignoreEnd(ctx, err), ignoreEnd(ctx, <-played))
		}
		for _, m := range received {
			out.message(m)
		}
		cloud.clear()
	}
}

// ignoreEnd drops an error that was caused by the end of ctx.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// messages returns the messages in a file, or the captures if file is "".
func messages(file string) ([]xdr.Frame, error) {
	if file == "" {
		return captures()
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	frames, err := xdrtest.ReadFrames(f)
	if err == nil && len(frames) == 0 {
		err = errors.New("the file has no messages")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return frames, nil
}

// captures returns the messages in testdata that were captured from a database.
func captures() ([]xdr.Frame, error) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		return nil, err
	}
	var frames []xdr.Frame
	for _, v := range vectors {
		if !v.Captured() {
			continue
		}
		b, err := v.Bytes()
		if err != nil {
			return nil, err
		}
		frames = append(frames, b)
	}
	return frames, nil
}
