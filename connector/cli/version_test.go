package cli

import (
	"runtime/debug"
	"testing"
)

func TestDescribeBuild(t *testing.T) {
	build := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: version}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "1a2b3c4d5e6f708192a3b4c5d6e7f80910111213"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, tt := range []struct {
		name, stamp string
		info        *debug.BuildInfo
		want        string
	}{
		{"go install of a release", "", build("v1.2.3"), "v1.2.3 (go1.26.8)"},
		{"build of a tagged commit", "", build("v1.2.3", commit, clean), "v1.2.3 (commit 1a2b3c4, go1.26.8)"},
		{"build of an untagged commit", "", build("v1.2.4-0.20261127185114-1a2b3c4d5e6f", commit, clean), "v1.2.4-0.20261127185114-1a2b3c4d5e6f (commit 1a2b3c4, go1.26.8)"},
		{"build with local changes", "", build("v1.2.3+dirty", commit, dirty), "v1.2.3+dirty (commit 1a2b3c4 with local changes, go1.26.8)"},
		{"build without a repository", "", build("(devel)"), "devel (go1.26.8)"},
		{"stamp", "v1.2.3", build("(devel)"), "v1.2.3 (go1.26.8)"},
		{"stamp in a repository", "v1.2.3", build("v1.2.2", commit, clean), "v1.2.3 (commit 1a2b3c4, go1.26.8)"},
		{"no build info", "", nil, "unknown"},
		{"stamp without build info", "v1.2.3", nil, "v1.2.3"},
	} {
		if got := describeBuild(tt.stamp, tt.info); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "no errors", 1: "1 error", 2: "2 errors"} {
		if got := Count(n, "error"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
