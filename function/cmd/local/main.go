// Command local runs the whole pipeline in one process on loopback, to see it work
// and to try things out: Pub/Sub and Cloud Storage are embedded fakes with real
// endpoints, the function and the connector are the real ones, and a source plays
// XDR messages to the connector over TCP as a database node does.
//
//	local -once        play the captures, print and check what came out, exit
//	local              stay, and show each change as it passes
//	local -xdr FILE    play the messages of FILE instead of the captures
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	once    bool
	file    string
	folder  string
	address string
	format  string
	patient time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.once, "once", false, "exit when the messages are delivered and checked")
	flags.StringVar(&o.file, "xdr", "", "play the messages of `FILE`: one in hexadecimal on each line, or JSON lines as in testdata/xdr.jsonl")
	flags.StringVar(&o.folder, "dir", "", "keep the bucket's objects in `FOLDER`; without it they go with the process")
	flags.StringVar(&o.address, "listen", "127.0.0.1:0", "take XDR connections at `HOST:PORT`")
	flags.StringVar(&o.format, "format", "json", "between connector and function: json or flat-json")
	flags.DurationVar(&o.patient, "timeout", time.Minute, "with -once, how long delivery may take")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		flags.Usage()
		return nil
	} else if err != nil {
		return fmt.Errorf("%w; see -help", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("what is %q? All arguments are flags; see -help", flags.Arg(0))
	}
	frames, err := messages(o.file)
	if err != nil {
		return err
	}
	return o.rehearse(ctx, frames, stdout, stderr)
}

// messages returns what the source plays: the file's messages or the captures.
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
		err = errors.New("no messages")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return frames, nil
}

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

// rehearse runs the pipeline and plays frames.
func (o options) rehearse(ctx context.Context, frames []xdr.Frame, stdout, stderr io.Writer) (err error) {
	cloud, err := openCloud(ctx, o.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.close()) }()
	p, err := startPipeline(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	out := &printer{w: stdout}
	out.places(cloud, p)
	if o.once {
		return o.playOnce(ctx, frames, cloud, p, out)
	}
	out.instructions(cloud, p)
	return o.stay(ctx, frames, cloud, p, out)
}

// playOnce ships frames, shows what came out and checks that it is what went in.
func (o options) playOnce(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
	ctx, cancel := context.WithTimeout(ctx, o.patient)
	defer cancel()
	ledger, err := newLedger(frames, o.format)
	if err != nil {
		return err
	}
	source := &xdrtest.Source{Address: p.xdr.Addr().String(), Connections: 4}
	if err := source.Play(ctx, frames); err != nil {
		return fmt.Errorf("ship %d messages: %w", len(frames), err)
	}
	ledger.shipped()
	for ledger.missing > 0 {
		received, err := cloud.pull(ctx)
		if err != nil {
			return fmt.Errorf("%d changes did not come out of Pub/Sub: %w", ledger.missing, err)
		}
		for _, m := range received {
			out.message(m)
			if err := ledger.message(m); err != nil {
				return err
			}
		}
	}
	objects, err := cloud.objects(ctx)
	if err != nil {
		return err
	}
	out.objects(objects)
	if err := ledger.objects(objects); err != nil {
		return err
	}
	return out.summary(ledger, objects)
}

// stay shows what passes until ctx ends, which is the way to leave.
func (o options) stay(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
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
		cloud.forget()
	}
}

// ignoreEnd takes errors that come of the end of ctx for what they are.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
