// Command sink serves the function on its own, as a Cloud Run service: HTTP/1.1
// and clear-text HTTP/2 on PORT, with time limits, and with an end on SIGTERM that
// answers what is in flight.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/aerosink/aerosink/function"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := run(ctx, os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string, stderr io.Writer) error {
	c, err := function.ParseConfig(getenv, io.Discard)
	if err != nil {
		return err
	}
	log := function.NewLogger(stderr, getenv)
	receiver := function.New(getenv, log)
	if err := receiver.Open(); err != nil {
		log.Error("not ready; requests will try again", "error", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("", c.Port))
	if err != nil {
		return fmt.Errorf("listen on port %s: %w; set another PORT", c.Port, err)
	}
	log.Info("sink started", "address", l.Addr().String(), "sinks", fmt.Sprint(c.Sinks))
	err = function.Serve(ctx, l, receiver, c.Limits, log)
	log.Info("sink stopped")
	return errors.Join(err, receiver.Close())
}
