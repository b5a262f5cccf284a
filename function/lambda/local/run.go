package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/pipeline"
)

// run starts everything, and plays messages or follows the changes.
func (o *options) run(ctx context.Context, streams cli.Streams) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	frames, err := pipeline.Messages(o.file)
	if err != nil {
		return err
	}
	cloud, err := openCloud(ctx, o.port(3), o.specs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.close()) }()
	log := newLogger(streams.Stderr)
	f, err := openFunction(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	connector, err := pipeline.Listen(ctx, o.xdrAddress(), pipeline.Address{HostPort: o.port(2), Flag: "-ports"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connector.Stop()) }()
	var n *pipeline.Node
	if !o.once {
		if n, err = pipeline.StartNode(&o.node, connector.XDR.Addr().String()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.Stop()) }()
	}
	to, err := url.Parse(f.fronts[0].url)
	if err != nil {
		return err
	}
	connector.Start(pipeline.StartConfig{
		URL: to, Config: post.Config{Connections: 8, Streams: 1, Protocol: post.HTTP1, ConnectTimeout: time.Second},
		Format: o.format, MaxBytes: maxBytes(f.fronts[0].Front), Log: log,
	})
	out := &printer{pipeline.NewPrinter(o.form, streams)}
	out.overview(o, cloud, f, connector, n)
	if o.once {
		return o.playOnce(ctx, frames, cloud, connector, out)
	}
	out.instructions(o, cloud, f, connector, n)
	return o.follow(ctx, frames, cloud, connector, out)
}

// maxBytes returns the size of the batches that a front passes, in any format.
func maxBytes(f gateway.Front) int {
	if f == gateway.ALB || f == gateway.ALBMulti {
		return 900 << 10
	}
	return 4 << 20
}

// playOnce plays frames, prints the changes that come out, and checks that they are the same.
func (o *options) playOnce(ctx context.Context, frames []xdr.Frame, cloud *cloud, connector *pipeline.Connector, out *printer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	checker, err := newChecker(frames, o.format)
	if err != nil {
		return err
	}
	if err := connector.Play(ctx, frames); err != nil {
		return fmt.Errorf("play %s: %w", cli.Count(len(frames), "message"), err)
	}
	checker.Played()
	a := cloud.arrived() // a change is replied to once every service has it
	out.arrivals(a)
	if err := checker.check(a); err != nil {
		return err
	}
	return out.summary(checker, a)
}

// follow prints what arrives, until ctx ends. If asked to, it plays frames.
func (o *options) follow(ctx context.Context, frames []xdr.Frame, cloud *cloud, connector *pipeline.Connector, out *printer) error {
	running, ctx := errgroup.WithContext(ctx)
	if o.play || o.file != "" {
		running.Go(func() error {
			if err := connector.Play(ctx, frames); ctx.Err() == nil {
				return err
			}
			return nil
		})
	}
	running.Go(func() error { return show(ctx, cloud, out) })
	if err := running.Wait(); !errors.Is(err, errReaderGone) {
		return err
	}
	return nil
}

// errReaderGone ends the program where nobody reads its output any more.
var errReaderGone = errors.New("the reader of the output is gone")

// show prints what arrives until ctx ends. It looks at most ten times a second.
func show(ctx context.Context, cloud *cloud, out *printer) error {
	const pause = 100 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return out.Err
		case <-cloud.called:
		}
		out.arrivals(cloud.arrived())
		if errors.Is(out.Err, syscall.EPIPE) {
			return errReaderGone
		}
		if out.Err != nil {
			return out.Err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
