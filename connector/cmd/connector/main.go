// Command connector receives change notifications from Aerospike over XDR and
// POSTs them to HTTP destinations.
//
//	connector [-config FILE]        run, until SIGTERM or SIGINT
//	connector check [-config FILE]  print every fault of the configuration, exit 1 if there is one
//	connector version
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/aerosink/aerosink/connector/config"
)

// defaultConfig is where ESP's package puts its configuration.
const defaultConfig = "/etc/aerospike-esp-outbound/aerospike-esp-outbound.yml"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("connector", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	path := flags.String("config", defaultConfig, "the configuration `FILE`, YAML as of Aerospike Connect for ESP")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return help(stdout, flags)
	} else if err != nil {
		return fmt.Errorf("%w; see connector -help", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("connector %s: what is %q? Arguments are flags; see connector -help", command, flags.Arg(0))
	}
	switch command {
	case "run":
		return serve(ctx, *path, stderr)
	case "check":
		return check(*path, stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, "connector", version())
		return err
	}
	return fmt.Errorf("connector: unknown command %q; the commands are check and version, or none to run", command)
}

func help(stdout io.Writer, flags *flag.FlagSet) error {
	_, err := fmt.Fprint(stdout, "connector [-config FILE]        run, until SIGTERM or SIGINT\n"+
		"connector check [-config FILE]  print every fault of the configuration, exit 1 if there is one\n"+
		"connector version\n\n")
	flags.SetOutput(stdout)
	flags.PrintDefaults()
	return err
}

// check prints what is wrong and what is noteworthy about a configuration.
func check(path string, stdout io.Writer) error {
	c, err := load(path)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		if _, err := fmt.Fprintln(stdout, "warning:", w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "%s: no faults, %d warnings\n", path, len(c.Warnings))
	return err
}

func load(path string) (*config.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w; name another with -config FILE", err)
	}
	c, err := config.Parse(text, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// stamp is set by the linker: -X main.stamp=v1.2.3.
var stamp string

func version() string {
	if stamp != "" {
		return stamp
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
