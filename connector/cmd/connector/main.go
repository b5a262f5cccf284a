// Command connector receives changes from an Aerospike database over XDR, its
// replication protocol, and POSTs them to HTTP destinations. Run "connector help" for
// the commands and flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
)

// defaultConfig is where the package of Aerospike Connect for ESP puts its
// configuration.
const defaultConfig = "/etc/aerospike-esp-outbound/aerospike-esp-outbound.yml"

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() { program().Main() }

func program() *cli.Program {
	var path string
	configFlag := func(f *flag.FlagSet) {
		f.StringVar(&path, "config", defaultConfig, "the configuration `FILE`: YAML with the keys of Aerospike Connect for ESP")
	}
	var connect bool
	var xdr xdrOptions
	var sent sendOptions
	return &cli.Program{
		Name:    "connector",
		Purpose: "connector receives changes from an Aerospike database over XDR, its replication protocol, and POSTs them to HTTP destinations.",
		Stamp:   stamp,
		Commands: []cli.Command{
			{
				Default: true, PathAs: "-config",
				Summary:  "run until SIGTERM or SIGINT; SIGHUP reloads secrets, reopens the log",
				Examples: "connector config > connector.yml\nconnector check -config connector.yml\nconnector -config connector.yml",
				Flags:    configFlag,
				Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
					return serve(ctx, path, streams.Stderr)
				},
			},
			{
				Name: "check", PathAs: "-config",
				Summary:  "print every error and warning, including misspelled keys",
				Details:  "The exit status is 1 if there is an error. Files that the configuration names are read, but no port\nis opened: only a start can tell whether the ports are free.",
				Examples: "connector check -config connector.yml\nconnector check -connect -config connector.yml",
				Flags: func(f *flag.FlagSet) {
					configFlag(f)
					f.BoolVar(&connect, "connect", false, "also make a health check of each destination, and print what it finds")
				},
				Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
					return check(ctx, path, connect, streams.Stdout)
				},
			},
			{
				Name:     "config",
				Summary:  "print a configuration with every key and its meaning",
				Examples: "connector config > connector.yml",
				Run: func(_ context.Context, streams cli.Streams, _ []string) error {
					_, err := io.WriteString(streams.Stdout, config.Reference())
					return err
				},
			},
			{
				Name: "xdr-config", PathAs: "-config",
				Summary:  "print what points a database at connectors with this configuration",
				Details:  "It prints the xdr stanza for aerospike.conf, and the asinfo commands that do the same without a\nrestart. The connectors may run elsewhere: files that the configuration names are not read.",
				Examples: "connector xdr-config -config connector.yml -namespace shop -host 10.0.0.5 -host 10.0.0.6",
				Flags: func(f *flag.FlagSet) {
					configFlag(f)
					xdr.flags(f)
				},
				Run: func(_ context.Context, streams cli.Streams, _ []string) error {
					c, err := load(path, config.ParseElsewhere)
					if err != nil {
						return err
					}
					return printXDRConfig(streams.Stdout, c, xdr)
				},
			},
			{
				Name: "send", Args: "[FILE]",
				Summary: "send changes in JSON to a running connector, as a database would, and print the replies",
				Details: "FILE has changes as JSON or flat JSON: objects, one after another or in arrays. Without FILE they\n" +
					"are read from standard input. What a change lacks is filled in: the digest from set and user key,\n" +
					"the time now as lut, 1 as gen, and no expiry. The exit status is 1 unless all are answered OK.",
				Examples: "connector send -to 10.0.0.5:8901 change.json\n" +
					`echo '{"msg":"write","key":["shop","customers",null,"k1"],"bins":[]}' | connector send`,
				Flags: sent.flags,
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					return sent.send(ctx, strings.Join(args, ""), os.Stdin, streams)
				},
			},
		},
	}
}

// load reads a configuration with parse.
func load(path string, parse func(text []byte, folder string) (*config.Config, error)) (*config.Config, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(text, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

func read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the configuration %s does not exist; name another with -config FILE, or make one with %q and edit it", path, "connector config > FILE")
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w; name another with -config FILE", err)
	}
	return text, nil
}
