package cli

import (
	"flag"
	"io"
	"slices"
	"strings"
)

// flagArg is a flag as it was written.
type flagArg struct {
	name string
	args []string // -name=value, or -name with its value as the second
}

// split splits the arguments of a program into flags and words. What follows "--" is
// words.
func (p *Program) split(args []string) (flags []flagArg, words []string) {
	takesValue := p.valueFlags()
	for len(args) > 0 {
		arg := args[0]
		name, ok := flagName(arg)
		n := 1
		switch {
		case arg == "--":
			return flags, append(words, args[1:]...)
		case !ok:
			words = append(words, arg)
		default:
			if takesValue[name] && !strings.Contains(arg, "=") {
				n = min(2, len(args))
			}
			flags = append(flags, flagArg{name, args[:n]})
		}
		args = args[n:]
	}
	return flags, words
}

// flagName returns the name in -name, --name or -name=value. A negative number is not
// a flag.
func flagName(arg string) (name string, ok bool) {
	name, ok = strings.CutPrefix(arg, "-")
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	return name, ok && name != "" && (name[0] < '0' || name[0] > '9')
}

// valueFlags returns the names of all commands' flags that take a value.
func (p *Program) valueFlags() map[string]bool {
	names := map[string]bool{}
	for _, c := range p.Commands {
		flagSet(c).VisitAll(func(f *flag.Flag) {
			if b, ok := f.Value.(interface{ IsBoolFlag() bool }); !ok || !b.IsBoolFlag() {
				names[f.Name] = true
			}
		})
	}
	return names
}

// flagSet returns the flags of a command, at their defaults.
func flagSet(c Command) *flag.FlagSet {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if c.Flags != nil {
		c.Flags(flags)
	}
	return flags
}

// flagNames returns the names of a command's flags, in order.
func flagNames(c Command) (names []string) {
	flagSet(c).VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// has reports whether one of the flags has one of the names.
func has(flags []flagArg, names ...string) bool {
	return slices.ContainsFunc(flags, func(f flagArg) bool { return slices.Contains(names, f.name) })
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
	near := nearest(name, append(flagNames(c), "help", "version"))
	if near != "" {
		near = "-" + near
	}
	return Usagef("unknown flag -%s%s", name, didYouMean(near))
}

// checkArgs checks that a command gets as many arguments as it takes.
func (p *Program) checkArgs(c Command, args []string) error {
	names := strings.Fields(c.Args)
	if len(args) > len(names) {
		extra, near := args[len(names)], ""
		if c.PathAs != "" && isPath(extra) {
			near = strings.Join(slices.DeleteFunc([]string{p.Name, c.Name, c.PathAs, extra}, func(s string) bool { return s == "" }), " ")
		}
		return Usagef("unexpected argument %q%s", extra, didYouMean(near))
	}
	if missing := names[len(args):]; len(missing) > 0 && !strings.HasPrefix(missing[0], "[") {
		return Usagef("missing %s", strings.Join(missing, " and "))
	}
	return nil
}
