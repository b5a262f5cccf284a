// Command sink serves the function on its own, as on Cloud Run: it receives changes
// over HTTP and stores them in Pub/Sub and Cloud Storage. It also reads stored changes
// back, and compares them with the database. Environment variables configure it. Run
// "sink help" for the commands.
package main

import (
	"context"
	"flag"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/settings"
)

// stamp is the version, set by the linker: -X main.stamp=v1.2.3.
var stamp string

func main() { program(os.Getenv, os.Environ()).Main() }

// program returns the program in an environment: getenv returns a variable's value, and
// environ lists all of them as NAME=value.
func program(getenv func(string) string, environ []string) *cli.Program {
	var connect bool
	var replayed replayOptions
	var audited auditOptions
	var key keyOptions
	return &cli.Program{
		Name:    "sink",
		Purpose: "sink receives changes over HTTP and stores them in Pub/Sub, Cloud Storage or both. Environment variables configure it.",
		Stamp:   stamp,
		Commands: []cli.Command{
			{
				Name: "serve", Default: true, PathAs: "replay",
				Summary:  "serve HTTP/1.1 and HTTP/2 on PORT, until SIGTERM or SIGINT",
				Details:  "On SIGTERM it answers the requests that are in flight, then exits.",
				Examples: "SINKS=log: sink\nSINKS=pubsub://shop/changes DEAD_LETTERS=gs://shop-dead/letters sink",
				Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
					return serve(ctx, getenv, streams.Stderr)
				},
			},
			{
				Name:     "check",
				Summary:  "print the effective settings and every error, including misspelled names",
				Details:  "The exit status is 1 if there is an error. Secrets are not printed.",
				Examples: "SINKS=pubsub://shop/changes sink check -connect",
				Flags: func(f *flag.FlagSet) {
					f.BoolVar(&connect, "connect", false, "also find out whether the sinks exist and may be used")
				},
				Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
					return check(ctx, getenv, environ, connect, streams.Stdout)
				},
			},
			{
				Name:     "env",
				Summary:  "print every environment variable, its default, unit and meaning",
				Examples: "sink env",
				Run: func(_ context.Context, streams cli.Streams, _ []string) error {
					return printVariables(streams.Stdout)
				},
			},
			{
				Name: "replay", Args: "FROM",
				Summary: "read an archive or dead letters back, and store the changes again",
				Details: "FROM is gs://BUCKET/PREFIX or the path of a folder or file. All formats of archives and dead letters\n" +
					"are read. Changes go to the sinks of the environment, or to those of -to.\n" +
					"With -to 'aerospike://HOST/NAMESPACE?mode=records' it restores: it writes only the newest version\n" +
					"of each record before -until, and deletes what was deleted then.",
				Examples: "sink replay gs://shop-archive/changes -to pubsub://shop/changes -since 36h\nsink replay gs://shop-dead/letters -dry-run\n" +
					"sink replay gs://shop-archive/changes -until 2026-11-01 -to 'aerospike://db/shop?mode=records'",
				Flags: func(f *flag.FlagSet) { replayed.flags(f, time.Now()) },
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					return replayed.run(ctx, args[0], getenv, streams)
				},
			},
			{
				Name: "audit", Args: "FROM",
				Summary: "compare an archive with the database, and print what is missing or stale in it",
				Details: "FROM is gs://BUCKET/PREFIX, the path of a folder or file, or the aerospike: URL of a fence. The\n" +
					"database is scanned for the metadata of its records, without bins.\n" +
					"The exit status is 0 if everything is there, 1 if not, 3 if the audit could not compare everything.",
				Examples: "sink audit gs://shop-archive/changes -against aerospike://db:3000/shop\n" +
					"sink audit gs://shop-archive/changes -against aerospike://db:3000/shop/orders -repair print",
				Flags: func(f *flag.FlagSet) { audited.flags(f, time.Now()) },
				Run: func(ctx context.Context, streams cli.Streams, args []string) error {
					return audited.run(ctx, args[0], getenv, streams)
				},
			},
			{
				Name: "digest", Args: "SET KEY",
				Summary: "print the digest of a record, which is its identity in a change",
				Details: "A digest is the RIPEMD-160 hash of set and key. It is printed in Base64, as changes and the\n" +
					"attribute digest of Pub/Sub have it. KEY is a string by default. For a record in no set, SET is \"\".",
				Examples: "sink digest orders A-1001\nsink digest -int users 42",
				Flags:    key.flags,
				Run: func(_ context.Context, streams cli.Streams, args []string) error {
					return key.printDigest(args[0], args[1], streams.Stdout)
				},
			},
		},
		Notes: "Variables that most installations set; run \"sink env\" for all of them:\n" +
			variableTable("SINKS", "DEAD_LETTERS", "PORT", "METRICS_PORT", "AUTH_TOKENS_FILE"),
	}
}

// printVariables prints all variables.
func printVariables(stdout io.Writer) error {
	rows := [][]string{{"VARIABLE", "DEFAULT", "UNIT", "MEANING"}}
	for _, v := range settings.Variables() {
		rows = append(rows, []string{v.Name, v.Default, v.Unit, plainText(v.Meaning)})
	}
	_, err := io.WriteString(stdout, cli.Table(rows)+
		"\nA size is a number of bytes, or one with KiB, MiB or GiB, as in 16MiB. A duration has a unit: ms, s,\n"+
		"m or h. Several URLs or tokens are separated by commas.\n")
	return err
}

// variableTable returns a table of the variables with these names.
func variableTable(names ...string) string {
	var rows [][]string
	for _, name := range names {
		for _, v := range settings.Variables() {
			if v.Name != name {
				continue
			}
			text := plainText(v.Meaning)
			if v.Default != "" {
				text += " (default " + v.Default + ")"
			}
			rows = append(rows, []string{v.Name, text})
		}
	}
	return cli.Table(rows)
}

// plainText returns a meaning without its Markdown.
func plainText(meaning string) string { return strings.ReplaceAll(meaning, "`", "") }
