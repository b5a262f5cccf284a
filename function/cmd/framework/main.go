// Command framework serves the function with the server of the Functions Framework,
// to try it as Cloud Run functions run it. Run "framework help" for more.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "github.com/aerosink/aerosink" // registers Receive
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() { program().Main() }

func program() *cli.Program {
	return &cli.Program{
		Name:    "framework",
		Purpose: "framework serves the function with the server of the Functions Framework, to try it as Cloud Run functions run it. The variables of sink configure it: see \"sink env\".",
		Stamp:   stamp,
		Commands: []cli.Command{{
			Default:  true,
			Summary:  "serve on PORT (default 8080), until SIGTERM or SIGINT",
			Examples: "FUNCTION_TARGET=Receive framework\nFUNCTION_TARGET=Receive SINKS=pubsub://shop/changes framework",
			Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
				return serve(ctx, streams.Stderr)
			},
		}},
		Notes: "Without SINKS it prints each change and stores nothing. It listens on 127.0.0.1 only, except on\nCloud Run.",
	}
}

// serve serves the function until ctx ends. The framework has no way to stop: requests
// in flight are not answered.
func serve(ctx context.Context, stderr io.Writer) error {
	host := ""
	if os.Getenv("K_SERVICE") == "" {
		host = "127.0.0.1"
		if os.Getenv("SINKS") == "" {
			_, written := fmt.Fprintln(stderr, "SINKS is not set: changes are printed to standard output, and stored nowhere")
			if err := errors.Join(written, os.Setenv("SINKS", "log:")); err != nil {
				return err
			}
		}
	}
	c, err := settings.Environment{Getenv: os.Getenv, Sinks: google.Sinks()}.Parse(sink.Options{})
	if err != nil {
		return fmt.Errorf("read the environment:\n%w", err)
	}
	if _, err := fmt.Fprintf(stderr, "listening on http://%s:%s\n", host, c.Port); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- funcframework.StartHostPort(host, c.Port) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}
