package cli

import (
	"flag"
	"io"
	"slices"
	"strings"
)

// flagArg is a flag on the command line.
type flagArg struct {
	name string
	args []string // -name=value, or -name with its value as the second
}

// split splits arguments into flags and words. The flags in takesValue have a value. All
// arguments after "--" are words.
func split(args []string, takesValue map[string]bool) (flags []flagArg, words []string) {
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
func valueFlags(commands []Command) map[string]bool {
	names := map[string]bool{}
	for _, c := range commands {
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
