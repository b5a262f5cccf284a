// Command framework serves the function with the Functions Framework's own server,
// for a local run as Cloud Run functions does it:
//
//	FUNCTION_TARGET=Receive go run ./function/cmd/framework
//
// Without SINKS it writes a line for each change. It listens on 127.0.0.1 unless
// Cloud Run runs it.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"github.com/aerosink/aerosink/function"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	host := ""
	if os.Getenv("K_SERVICE") == "" {
		host = "127.0.0.1"
		if os.Getenv("SINKS") == "" {
			fmt.Fprintln(os.Stderr, "SINKS is not set: changes are written to standard output and stored nowhere")
			if err := os.Setenv("SINKS", "log:"); err != nil {
				return err
			}
		}
	}
	c, err := function.ParseConfig(os.Getenv, io.Discard)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s:%s\n", host, c.Port)
	return funcframework.StartHostPort(host, c.Port)
}
