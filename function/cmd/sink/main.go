// Command sink serves the function on its own, as a Cloud Run service: HTTP/1.1
// and clear-text HTTP/2 on PORT, with time limits, and with an end on SIGTERM that
// answers what is in flight. It also replays what was stored.
//
//	sink [serve]           serve, until SIGTERM or SIGINT
//	sink check [-connect]  print what the environment is understood as, every fault and every warning, exit 1 if
//	                       there is a fault; with -connect find out whether the sinks are there and may be used
//	sink replay FROM       read an archive or dead letters back; see sink replay -help
//	sink version, sink help
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/aerosink/aerosink/function"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := command(ctx, os.Args[1:], process{os.Getenv, os.Stdout, os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is what a command has of the process it runs in.
type process struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

// commands are the commands by name; each gets the arguments behind its name.
var commands = map[string]func(ctx context.Context, p process, args []string) error{
	"serve":   serve,
	"check":   check,
	"replay":  replayFrom,
	"version": printVersion,
	"help":    help,
}

// command runs the command that args begin with, and serves where they are none.
func command(ctx context.Context, args []string, p process) error {
	if len(args) == 0 {
		return serve(ctx, p, nil)
	}
	run, ok := commands[strings.TrimLeft(args[0], "-")]
	if !ok {
		return fmt.Errorf("sink: what is %q? The commands are serve, check, replay, version and help; without one it serves", args[0])
	}
	return run(ctx, p, args[1:])
}

func serve(ctx context.Context, p process, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("sink serve: what is %q? It is told by the environment what to do", args[0])
	}
	return run(ctx, p.getenv, p.stderr)
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

func help(_ context.Context, p process, _ []string) error {
	_, err := io.WriteString(p.stdout, "sink [serve]           serve, until SIGTERM or SIGINT; the environment says what: SINKS at least\n"+
		"sink check [-connect]  print what the environment is understood as, every fault and every warning, exit 1 if\n"+
		"                       there is a fault; with -connect find out whether the sinks are there and may be used\n"+
		"sink replay FROM       read an archive or dead letters back; see sink replay -help\n"+
		"sink version\n"+
		"sink help\n")
	return err
}

// stamp is set by the linker: -X main.stamp=v1.2.3.
var stamp string

func printVersion(_ context.Context, p process, _ []string) error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); stamp != "" {
		version = stamp
	} else if ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(p.stdout, "sink", version)
	return err
}
