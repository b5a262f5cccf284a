package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

var (
	tableRow = regexp.MustCompile(`(?m)^\|(.*)\|(.*)\|(.*)\|(.*)\|$`)
	quoted   = regexp.MustCompile("`([a-z0-9-]+)`")
)

// The table of keys in the README has every key of the reference once, and agrees on whether
// the key is ESP's, ours, or ignored.
func TestReference_readmeTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "connector", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), "| section | keys of ESP |")
	table, _, ended := strings.Cut(table, "\n\n")
	if !found || !ended {
		t.Fatal("no table of keys in the README")
	}
	got := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(table, -1) {
		section := sectionOf(row[1])
		for i, kind := range []string{"ESP", "ours", "ignored"} {
			for _, key := range quoted.FindAllStringSubmatch(row[2+i], -1) {
				path := strict.Join(section, key[1])
				if got[path] != "" {
					t.Errorf("%s is in the table twice", path)
				}
				got[path] = kind
			}
		}
	}
	want := map[string]string{}
	for key, comment := range comments(t) {
		if key != "custom-transformer" && !strings.HasSuffix(key, "*") {
			want[key] = kindOf(comment)
		}
	}
	for _, key := range []string{"port", "ports", "address"} { // of the TLS section of a listener
		want["tls."+key] = "ESP"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-the reference +the README):\n%s", diff)
	}
}

// sectionOf returns the pattern in the first cell of a row.
func sectionOf(cell string) string {
	words := strings.Split(cell, "`")
	if len(words) < 2 {
		return ""
	}
	return strings.ReplaceAll(words[1], "NAME", "*")
}

// kindOf returns the kind of a key by its comments in the reference.
func kindOf(comment string) string {
	lines := strings.Split(comment, "\n")
	switch {
	case slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "(ours)") }):
		return "ours"
	case slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "(ignored)") }):
		return "ignored"
	}
	return "ESP"
}
