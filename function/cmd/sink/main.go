// Command sink serves the function on its own, as a Cloud Run service: HTTP/1.1
// and clear-text HTTP/2 on PORT, with time limits, and with an end on SIGTERM that
// answers what is in flight.
//
//	sink                   serve, until SIGTERM or SIGINT
//	sink check [-connect]  print what the environment is understood as, every fault and every warning, exit 1 if
//	                       there is a fault; with -connect find out whether the sinks are there and may be used
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/function"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command runs the command that args name, in the process's environment.
func command(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return run(ctx, os.Getenv, os.Stderr)
	}
	flags := flag.NewFlagSet("sink", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	connect := flags.Bool("connect", false, "find out whether the sinks are there and may be used")
	if err := flags.Parse(args[1:]); args[0] != "check" || err != nil || flags.NArg() > 0 {
		return fmt.Errorf("sink: what is %q? Write sink, which serves, or sink check [-connect]", strings.Join(args, " "))
	}
	return check(ctx, os.Getenv, os.Environ(), *connect, stdout)
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
	l, err := listen(ctx, c.Port, "PORT")
	if err != nil {
		return err
	}
	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return function.Serve(ctx, l, receiver, c.Limits, log) })
	log.Info("sink started", "address", l.Addr().String(), "sinks", fmt.Sprint(c.Sinks))
	if c.MetricsPort != "" {
		serving.Go(func() error { return serveMetrics(ctx, c, receiver.Metrics(), log) })
	}
	err = serving.Wait()
	log.Info("sink stopped")
	return errors.Join(err, receiver.Close())
}

// serveMetrics shows the metrics at /metrics of their own port, until ctx ends.
func serveMetrics(ctx context.Context, c function.Config, metrics http.Handler, log *slog.Logger) error {
	l, err := listen(ctx, c.MetricsPort, "METRICS_PORT")
	if err != nil {
		return err
	}
	log.Info("metrics shown", "address", l.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return function.Serve(ctx, l, mux, c.Limits, log)
}

// listen listens on a port, which is the value of a variable.
func listen(ctx context.Context, port, variable string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("", port))
	if err != nil {
		return nil, fmt.Errorf("listen on port %s: %w; set another %s", port, err, variable)
	}
	return l, nil
}
