package tests

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// bare are the runbooks that need no figure to look at.
var bare = []string{"runbook function-dead-letters"}

// alerts returns the queries of the alerts by their names, as Terraform makes them
// by default, with the function's own figures or without.
func alerts(t *testing.T, figures bool) map[string]string {
	t.Helper()
	p := newPlan(t, variables("ingest", fmt.Sprintf("{ metrics = %t }", figures)))
	queries := map[string]string{}
	for name, alert := range p.local("alerts").AsValueMap() {
		queries[name] = alert.GetAttr("query").AsString()
	}
	return queries
}

// runbooks returns the runbooks by their names.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".md")] = render(t, path, named)
	}
	return all
}

// Every alert says what it means, what to look at and what to do, and in no more than
// Cloud Monitoring takes; and every runbook is that of an alert.
func TestRunbooks(t *testing.T) {
	books := runbooks(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(alerts(t, true))), slices.Sorted(maps.Keys(books))); diff != "" {
		t.Errorf("(-alerts +runbooks):\n%s", diff)
	}
	for name, text := range books {
		at := 0
		for _, heading := range []string{"## What it means\n", "## What to look at\n", "## What to do\n"} {
			i := strings.Index(text[at:], heading)
			if i < 0 {
				t.Errorf("%s does not say %s", name, heading)
				continue
			}
			at += i
		}
		if n := utf8.RuneCountInString(text); n > 8192 || len(text) > 10240 {
			t.Errorf("%s has %d letters in %d bytes, of at most 8192 in 10240", name, n, len(text))
		}
	}
}

// Without the function's own figures its dead letters are counted in the log.
func TestAlertsWithoutFigures(t *testing.T) {
	queries := alerts(t, false)
	if q := queries["function-dead-letters"]; !strings.Contains(q, "logging_googleapis_com:user_aerosink_dead_letters{") {
		t.Errorf("dead letters are asked for by %s", q)
	}
	for name, q := range queries {
		if figure := ours.FindString(q); figure != "" && !strings.HasPrefix(name, "connector-") {
			t.Errorf("%s needs %s", name, figure)
		}
	}
}
