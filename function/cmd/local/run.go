package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// run starts everything, and plays messages or follows the changes.
func (o *options) run(ctx context.Context, streams cli.Streams) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	frames, err := messages(o.file)
	if err != nil {
		return err
	}
	cloud, err := openCloud(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.close()) }()
	p, err := openPipeline(ctx, o)
	defer func() { err = errors.Join(err, p.stop()) }()
	if err != nil {
		return err
	}
	var n *node
	if !o.once {
		if n, err = startNode(o, p.xdr.Addr().String()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.stop()) }()
	}
	if err := p.start(o, streams.Stderr); err != nil {
		return err
	}
	out := newPrinter(o.form, streams)
	out.overview(o, cloud, p, n)
	if o.once {
		return o.playOnce(ctx, frames, cloud, p, out)
	}
	out.instructions(o, cloud, p, n)
	return o.follow(ctx, frames, cloud, p, out)
}

// playOnce plays frames, prints the changes that come out, and checks that they are the same.
func (o *options) playOnce(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	checker, err := newChecker(frames, o.format, o.ordering)
	if err != nil {
		return err
	}
	if err := play(ctx, p, frames); err != nil {
		return fmt.Errorf("play %s: %w", cli.Count(len(frames), "message"), err)
	}
	checker.played()
	for checker.missing > 0 {
		received, err := cloud.changes[0].pull(ctx)
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

// play ships frames to the connector, as a node does.
func play(ctx context.Context, p *pipeline, frames []xdr.Frame) error {
	source := &xdrtest.Source{Address: p.xdr.Addr().String(), Connections: 4}
	return source.Play(ctx, frames)
}

// delivery is messages of a subscription: changes, or notices of new objects.
type delivery struct {
	messages []*pubsubpb.PubsubMessage
	notices  bool
}

// follow prints the changes and the objects as they appear, until ctx ends. If asked to, it
// plays frames.
func (o *options) follow(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *pipeline, out *printer) error {
	running, ctx := errgroup.WithContext(ctx)
	if o.play || o.file != "" {
		running.Go(func() error { return ignoreEnd(ctx, play(ctx, p, frames)) })
	}
	deliveries := make(chan delivery)
	receive := func(s *subscription, notices bool) {
		running.Go(func() error {
			for ctx.Err() == nil {
				messages, err := s.pull(ctx)
				if err != nil {
					return ignoreEnd(ctx, err)
				}
				select {
				case deliveries <- delivery{messages, notices}:
				case <-ctx.Done():
				}
			}
			return nil
		})
	}
	for _, s := range cloud.changes {
		receive(s, false)
	}
	receive(cloud.notices, true)
	running.Go(func() error { return show(ctx, deliveries, cloud, out) })
	if err := running.Wait(); !errors.Is(err, errReaderGone) {
		return err
	}
	return nil
}

// errReaderGone ends the program where nobody reads its output any more.
var errReaderGone = errors.New("the reader of the output is gone")

// show prints deliveries until ctx ends.
func show(ctx context.Context, deliveries <-chan delivery, cloud *cloud, out *printer) error {
	shown := 0
	for {
		select {
		case <-ctx.Done():
			return out.err
		case d := <-deliveries:
			for _, m := range d.messages {
				if d.notices {
					out.notice(m)
				} else {
					out.message(m)
				}
			}
			if errors.Is(out.err, syscall.EPIPE) {
				return errReaderGone
			}
			if out.err != nil {
				return out.err
			}
			shown += len(d.messages)
			if missed, freed := cloud.forget(shown, manyMessages); freed {
				shown = 0
				out.missed(missed)
			}
		}
	}
}

// ignoreEnd drops an error that was caused by the end of ctx.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
