// Package commands has the commands that the function's programs have in common: check, env,
// replay, audit and digest. What comes in is the environment of a program, with the sinks that
// it offers, and what it calls things in its help. What goes out are the commands for its
// command line (package cli). They need neither a server nor a cloud's runtime.
package commands

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/settings"
)

// Program is the program whose commands these are.
type Program struct {
	Name string // as in "sink replay"

	Environment settings.Environment
	Environ     []string // the environment as NAME=value

	// Buckets has the kinds of buckets that replay and audit read.
	Buckets objects.Buckets

	Words Words
}

// Words are what the help of a program says where the clouds differ.
type Words struct {
	Bucket      string // the form of an archive's URL, as in gs://BUCKET/PREFIX
	Sink        string // an example of a sink, without parameters
	Archive     string // an example of an archive
	DeadLetters string // an example of dead letters in a bucket
	Messages    string // the service whose messages have the attribute digest
}

// Commands returns the commands.
func (p Program) Commands() []cli.Command {
	return []cli.Command{p.check(), p.env(), p.replay(), p.audit(), p.digest()}
}

func (p Program) check() cli.Command {
	var connect bool
	return cli.Command{
		Name:     "check",
		Summary:  "print the effective settings and every error, including misspelled names",
		Details:  "The exit status is 1 if there is an error. Secrets are not printed.",
		Examples: fmt.Sprintf("SINKS=%s %s check -connect", p.Words.Sink, p.Name),
		Flags: func(f *flag.FlagSet) {
			f.BoolVar(&connect, "connect", false, "also find out whether the sinks exist and may be used")
		},
		Run: func(ctx context.Context, streams cli.Streams, _ []string) error {
			return p.printCheck(ctx, connect, streams.Stdout)
		},
	}
}

func (p Program) env() cli.Command {
	return cli.Command{
		Name:     "env",
		Summary:  "print every environment variable, its default, unit and meaning",
		Examples: p.Name + " env",
		Run: func(_ context.Context, streams cli.Streams, _ []string) error {
			return p.printVariables(streams.Stdout)
		},
	}
}

func (p Program) replay() cli.Command {
	var o replayOptions
	return cli.Command{
		Name: "replay", Args: "FROM",
		Summary: "read an archive or dead letters back, and store the changes again",
		Details: "FROM is " + p.Words.Bucket + " or the path of a folder or file. All formats of archives and dead letters\n" +
			"are read. Changes go to the sinks of the environment, or to those of -to.\n" +
			"With -to 'aerospike://HOST/NAMESPACE?mode=records' it restores: it writes only the newest version\n" +
			"of each record before -until, and deletes what was deleted then.",
		Examples: fmt.Sprintf("%[1]s replay %[2]s -to %[3]s -since 36h\n%[1]s replay %[4]s -dry-run\n"+
			"%[1]s replay %[2]s -until 2026-11-01 -to 'aerospike://db/shop?mode=records'", p.Name, p.Words.Archive, p.Words.Sink, p.Words.DeadLetters),
		Flags: func(f *flag.FlagSet) { o.flags(f, time.Now()) },
		Run: func(ctx context.Context, streams cli.Streams, args []string) error {
			return o.run(ctx, args[0], p, streams)
		},
	}
}

func (p Program) audit() cli.Command {
	var o auditOptions
	return cli.Command{
		Name: "audit", Args: "FROM",
		Summary: "compare an archive with the database, and print what is missing or stale in it",
		Details: "FROM is " + p.Words.Bucket + ", the path of a folder or file, or the aerospike: URL of a fence. The\n" +
			"database is scanned for the metadata of its records, without bins.\n" +
			"The exit status is 0 if everything is there, 1 if not, 3 if the audit could not compare everything.",
		Examples: fmt.Sprintf("%[1]s audit %[2]s -against aerospike://db:3000/shop\n"+
			"%[1]s audit %[2]s -against aerospike://db:3000/shop/orders -repair print", p.Name, p.Words.Archive),
		Flags: func(f *flag.FlagSet) { o.flags(f, time.Now()) },
		Run: func(ctx context.Context, streams cli.Streams, args []string) error {
			return o.run(ctx, args[0], p, streams)
		},
	}
}

func (p Program) digest() cli.Command {
	var o keyOptions
	return cli.Command{
		Name: "digest", Args: "SET KEY",
		Summary: "print the digest of a record, which is its identity in a change",
		Details: "A digest is the RIPEMD-160 hash of set and key. It is printed in Base64, as changes and the\n" +
			"attribute digest of " + p.Words.Messages + " have it. KEY is a string by default. For a record in no set, SET is \"\".",
		Examples: fmt.Sprintf("%[1]s digest orders A-1001\n%[1]s digest -int users 42", p.Name),
		Flags:    o.flags,
		Run: func(_ context.Context, streams cli.Streams, args []string) error {
			return o.printDigest(args[0], args[1], streams.Stdout)
		},
	}
}
