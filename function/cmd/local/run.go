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
	cloud, err := openCloud(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.close()) }()
	p, err := openProcess(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var n *pipeline.Node
	if !o.once {
		if n, err = pipeline.StartNode(&o.node, p.connector.XDR.Addr().String()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.Stop()) }()
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
func (o *options) playOnce(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *process, out *printer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	checker, err := newChecker(frames, o.format, o.ordering)
	if err != nil {
		return err
	}
	if err := p.connector.Play(ctx, frames); err != nil {
		return fmt.Errorf("play %s: %w", cli.Count(len(frames), "message"), err)
	}
	checker.Played()
	for checker.missing() > 0 {
		received, err := cloud.changes[0].pull(ctx)
		if err != nil {
			return fmt.Errorf("%s did not come out of Pub/Sub: %w", cli.Count(checker.missing(), "change"), err)
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

// delivery is messages of a subscription: changes, or notices of new objects.
type delivery struct {
	messages []*pubsubpb.PubsubMessage
	notices  bool
}

// follow prints the changes and the objects as they appear, until ctx ends. If asked to, it
// plays frames.
func (o *options) follow(ctx context.Context, frames []xdr.Frame, cloud *cloud, p *process, out *printer) error {
	running, ctx := errgroup.WithContext(ctx)
	if o.play || o.file != "" {
		running.Go(func() error { return ignoreEnd(ctx, p.connector.Play(ctx, frames)) })
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
			return out.Err
		case d := <-deliveries:
			for _, m := range d.messages {
				if d.notices {
					out.notice(m)
				} else {
					out.message(m)
				}
			}
			if errors.Is(out.Err, syscall.EPIPE) {
				return errReaderGone
			}
			if out.Err != nil {
				return out.Err
			}
			shown += len(d.messages)
			if missed, freed := cloud.forget(shown, manyMessages); freed {
				shown = 0
				out.Missed(missed)
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
