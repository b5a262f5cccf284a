// Command connector receives change notifications from Aerospike over XDR and
// POSTs them to HTTP destinations.
//
//	connector [-config FILE]        run, until SIGTERM or SIGINT; SIGHUP reads certificates and secrets again
//	connector check [-config FILE]  print every fault and warning of the configuration, exit 1 if there is a fault;
//	                                whether its ports are free, only a start can tell
//	connector config                print a configuration that has every key, and says what each means
//	connector xdr-config [-config FILE] [-namespace NS…] [-host HOST…] [-tls-name NAME]
//	                                print what points a database at connectors with this configuration;
//	                                they may be elsewhere, and so may the files that it names
//	connector version, connector help
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
	"strings"
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

// arguments are what stands behind the command.
type arguments struct {
	config string
	pointing
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	var a arguments
	flags := flagsOf(&a)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return help(stdout, flags)
	} else if err != nil {
		return fmt.Errorf("%w; see connector -help", err)
	}
	if flags.NArg() > 0 && command != "help" {
		return stray(command, flags.Arg(0))
	}
	if command != "xdr-config" && len(a.hosts)+len(a.namespaces)+len(a.tlsName) > 0 {
		return errors.New("connector: -host, -namespace and -tls-name belong to xdr-config; see connector -help")
	}
	switch command {
	case "":
		return serve(ctx, a.config, stderr)
	case "check":
		return check(a.config, stdout)
	case "config":
		_, err := io.WriteString(stdout, config.Reference())
		return err
	case "xdr-config":
		c, err := load(a.config, config.ParseElsewhere)
		if err != nil {
			return err
		}
		return printXDRConfig(stdout, c, a.pointing)
	case "help":
		return help(stdout, flags)
	case "version":
		_, err := fmt.Fprintln(stdout, "connector", version())
		return err
	}
	return stray("", command)
}

// stray returns what to say of an argument that is neither a command nor a flag.
func stray(command, arg string) error {
	called := strings.TrimSpace("connector " + command)
	if isPath(arg) {
		return fmt.Errorf("%s: a configuration is named with -config: %s -config %s", called, called, arg)
	}
	return fmt.Errorf("%s: what is %q? The commands are check, config, xdr-config, version and help, or none to run; the rest is flags; see connector -help", called, arg)
}

// isPath reports whether arg looks like the path of a file.
func isPath(arg string) bool { return strings.ContainsAny(arg, "./") }

func flagsOf(a *arguments) *flag.FlagSet {
	flags := flag.NewFlagSet("connector", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&a.config, "config", defaultConfig, "the configuration `FILE`, YAML as of Aerospike Connect for ESP")
	several := func(list *[]string) func(string) error {
		return func(name string) error {
			*list = append(*list, name)
			return nil
		}
	}
	flags.Func("host", "of xdr-config: the name or address `HOST` at which the database finds a connector, once for each (default: this machine's name)", several(&a.hosts))
	flags.Func("namespace", "of xdr-config: a namespace `NS` to ship, once for each (default: those of the configuration)", several(&a.namespaces))
	flags.StringVar(&a.tlsName, "tls-name", "", "of xdr-config: the `NAME` in the certificate that the connectors share (default: each one's host)")
	return flags
}

func help(stdout io.Writer, flags *flag.FlagSet) error {
	_, err := fmt.Fprint(stdout, "connector [-config FILE]        run, until SIGTERM or SIGINT; SIGHUP reads certificates and secrets again\n"+
		"connector check [-config FILE]  print every fault and warning of the configuration, exit 1 if there is a fault;\n"+
		"                                whether its ports are free, only a start can tell\n"+
		"connector config                print a configuration that has every key, and says what each means\n"+
		"connector xdr-config [-config FILE] [-namespace NS…] [-host HOST…] [-tls-name NAME]\n"+
		"                                print what points a database at connectors with this configuration;\n"+
		"                                they may be elsewhere, and so may the files that it names\n"+
		"connector version\n"+
		"connector help\n\n")
	flags.SetOutput(stdout)
	flags.PrintDefaults()
	return err
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
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w; name another with -config FILE", err)
	}
	return text, nil
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
