// Package cli implements the command lines of Aerosink's programs, so that they all behave
// alike. A program is a table of commands, which determines the parsing, the help, and the
// errors.
//
// [Program.Main] runs a program in these steps: split the arguments into flags and
// words, print help or the version if asked for, find the command, parse its flags,
// and run it. Flags may stand before, between or after words. The exit status is 0,
// 1 for a failure, or 2 for a command line that was not understood. A command may have
// more, see [WithStatus].
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/aerosink/aerosink/connector/nearest"
)

// Program is a program and its commands.
type Program struct {
	Name     string
	Purpose  string    // what the program does, in a sentence or two
	Commands []Command // without help and version, which every program has
	Notes    string    // lines of the help, after the commands
	Stamp    string    // the version that the linker set, if any
}

// Command is a command of a program. A flag that several commands have takes a value
// in all of them or in none.
type Command struct {
	Name     string // "" for a default command without a name
	Default  bool   // runs when no command is named
	Args     string // names of its arguments, as in "SET KEY" or "FILE..."; see checkArgs
	Summary  string // one line, in lower case
	Details  string // lines of its help, after the summary
	Examples string // command lines, one a line

	// PathAs is what the user should have written before a path that is not
	// expected: a flag or a command, as in "-config".
	PathAs string

	Flags func(*flag.FlagSet) // defines the flags; nil if there are none
	Run   func(ctx context.Context, streams Streams, args []string) error
}

// Streams are where a command writes to.
type Streams struct{ Stdout, Stderr io.Writer }

// usageError is a command line that was not understood.
type usageError struct{ error }

// Usagef returns an error for a command line that cannot be carried out as it is
// written. The program exits with status 2.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

// Unwrap returns the error without the status.
func (e statusError) Unwrap() error { return e.error }

// WithStatus returns err, with which the program exits with that status instead of 1.
func WithStatus(err error, status int) error { return statusError{err, status} }

// status returns the exit status for err.
func status(err error) int {
	var own statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)):
		return 2
	case errors.As(err, &own):
		return own.status
	}
	return 1
}

// Main runs the program with the arguments of the process, and exits. SIGINT and
// SIGTERM end the command's context; a second one kills the process.
func (p *Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := p.Run(ctx, os.Args[1:], Streams{os.Stdout, os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status(err))
}

// Run runs the command that args name. Errors begin with the names of the program and
// of the command.
func (p *Program) Run(ctx context.Context, args []string, streams Streams) error {
	c, err := p.run(ctx, args, streams)
	if err == nil {
		return nil
	}
	called, help := p.Name, p.Name+" help"
	if c.Name != "" {
		called += " " + c.Name
	}
	if c.Name != "help" {
		help = strings.TrimSpace(help + " " + c.Name)
	}
	if !errors.As(err, new(usageError)) {
		return fmt.Errorf("%s: %w", called, err)
	}
	format := "%s: %w; run %q"
	if strings.HasSuffix(err.Error(), "?") {
		format = "%s: %w Run %q."
	}
	return fmt.Errorf(format, called, err, help)
}

// run returns the command that args name, which is the zero Command for none, and the
// error of running it.
func (p *Program) run(ctx context.Context, args []string, streams Streams) (Command, error) {
	flags, words := split(args, valueFlags(p.Commands))
	if len(words) == 0 {
		c := p.defaultCommand()
		if has(flags, "h", "help") {
			return Command{}, write(streams, programHelp(p))
		}
		c.Name = ""
		return c, p.runCommand(ctx, c, flags, nil, streams)
	}
	c, err := p.find(words[0])
	if err != nil {
		return Command{}, err
	}
	return c, p.runCommand(ctx, c, flags, words[1:], streams)
}

// runCommand runs a command, or prints its help or the version if that is asked for.
func (p *Program) runCommand(ctx context.Context, c Command, flags []flagArg, args []string, streams Streams) error {
	asked := ""
	if len(args) == 1 && c.Name != "help" {
		asked = args[0]
	}
	switch {
	case asked == "help" || has(flags, "h", "help"):
		return write(streams, commandHelp(p.Name, c))
	case asked == "version" || has(flags, "version"):
		return p.printVersion(ctx, streams, nil)
	}
	if err := p.parse(c, flags); err != nil {
		return err
	}
	if err := p.checkArgs(c, args); err != nil {
		return err
	}
	return c.Run(ctx, streams, args)
}

// parse sets the flags of a command.
func (p *Program) parse(c Command, flags []flagArg) error {
	set := flagSet(c)
	for _, f := range flags {
		if set.Lookup(f.name) == nil {
			return p.unknownFlag(c, f.name)
		}
		if err := set.Parse(f.args); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// unknownFlag returns the error for a flag that c does not have.
func (p *Program) unknownFlag(c Command, name string) error {
	for _, other := range p.Commands {
		if slices.Contains(flagNames(other), name) {
			return Usagef("-%s is a flag of %q", name, strings.TrimSpace(p.Name+" "+other.Name))
		}
	}
	near := nearest.Name(name, append(flagNames(c), "help", "version"))
	if near != "" {
		near = "-" + near
	}
	return Usagef("unknown flag -%s%s", name, didYouMean(near))
}

// checkArgs checks that a command gets as many arguments as it takes: one for each name,
// none or one for the last if it begins with "[", and one or more for the last if it ends
// in "...".
func (p *Program) checkArgs(c Command, args []string) error {
	names := strings.Fields(c.Args)
	if len(args) > len(names) && !strings.HasSuffix(c.Args, "...") {
		extra, near := args[len(names)], ""
		if c.PathAs != "" && isPath(extra) {
			near = strings.Join(slices.DeleteFunc([]string{p.Name, c.Name, c.PathAs, extra}, func(s string) bool { return s == "" }), " ")
		}
		return Usagef("unexpected argument %q%s", extra, didYouMean(near))
	}
	if missing := names[min(len(args), len(names)):]; len(missing) > 0 && !strings.HasPrefix(missing[0], "[") {
		return Usagef("missing %s", strings.TrimSuffix(strings.Join(missing, " and "), "..."))
	}
	return nil
}

// all returns the commands, with those that every program has.
func (p *Program) all() []Command {
	return append(slices.Clone(p.Commands),
		Command{
			Name: "version", Summary: "print the version", Run: p.printVersion,
			Examples: p.Name + " version",
		},
		Command{
			Name: "help", Args: "[COMMAND]", Summary: "print this help, or the help of a command", Run: p.printHelp,
			Examples: p.Name + " help version",
		},
	)
}

// defaultCommand returns the command that runs when none is named.
func (p *Program) defaultCommand() Command {
	return p.Commands[slices.IndexFunc(p.Commands, func(c Command) bool { return c.Default })]
}

// find returns the command with a name.
func (p *Program) find(name string) (Command, error) {
	var names []string
	for _, c := range p.all() {
		if c.Name == name && name != "" {
			return c, nil
		}
		names = append(names, c.Name)
	}
	near := nearest.Name(name, names)
	d := p.defaultCommand()
	switch {
	case d.PathAs != "" && isPath(name):
		near = p.Name + " " + d.PathAs + " " + name
	case near == "" && slices.Contains(flagNames(d), name):
		near = "-" + name
	}
	return Command{}, Usagef("unknown command %q%s", name, didYouMean(near))
}

// didYouMean ends an error with a question, unless near is "".
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// isPath reports whether arg looks like the path of a file.
func isPath(arg string) bool { return strings.ContainsAny(arg, "./") }

// printVersion is the command version.
func (p *Program) printVersion(_ context.Context, streams Streams, _ []string) error {
	return write(streams, p.Name+" "+buildText(p.Stamp)+"\n")
}

// printHelp is the command help.
func (p *Program) printHelp(_ context.Context, streams Streams, args []string) error {
	if len(args) == 0 {
		return write(streams, programHelp(p))
	}
	c, err := p.find(args[0])
	if err != nil {
		return err
	}
	return write(streams, commandHelp(p.Name, c))
}

func write(streams Streams, text string) error {
	_, err := io.WriteString(streams.Stdout, text)
	return err
}
