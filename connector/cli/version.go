package cli

import (
	"runtime/debug"
	"strings"
)

// Version returns the version of the program: stamp, which the linker set, or else the
// module's version in Go's build information. A version that ends in "+dirty" was built from
// a tree with uncommitted changes.
func Version(stamp string) string {
	info, _ := debug.ReadBuildInfo()
	return version(stamp, info)
}

func version(stamp string, info *debug.BuildInfo) string {
	switch {
	case stamp != "":
		return stamp
	case info == nil || info.Main.Version == "":
		return "unknown"
	case info.Main.Version == "(devel)":
		return "devel"
	}
	return info.Main.Version
}

// buildText returns the version with the commit, if it is known, and the version of Go:
// v1.2.3 (commit 1a2b3c4, go1.26.8).
func buildText(stamp string) string {
	info, _ := debug.ReadBuildInfo()
	return describeBuild(stamp, info)
}

func describeBuild(stamp string, info *debug.BuildInfo) string {
	if info == nil {
		return version(stamp, nil)
	}
	var details []string
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if commit := settings["vcs.revision"]; commit != "" {
		const short = 7
		text := "commit " + commit[:min(short, len(commit))]
		if settings["vcs.modified"] == "true" {
			text += " with local changes"
		}
		details = append(details, text)
	}
	details = append(details, info.GoVersion)
	return version(stamp, info) + " (" + strings.Join(details, ", ") + ")"
}
