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

// withoutQueries are the runbooks that need no metrics.
var withoutQueries = []string{"runbook function-dead-letters"}

// alerts returns the queries of the alerts by name, with default settings, with or without
// the function's own metrics.
func alerts(t *testing.T, withMetrics bool) map[string]string {
	t.Helper()
	p := newPlan(t, variables("ingest", fmt.Sprintf("{ metrics = %t }", withMetrics)))
	queries := map[string]string{}
	for name, alert := range p.local("alerts").AsValueMap() {
		queries[name] = alert.GetAttr("query").AsString()
	}
	return queries
}

// runbooks returns the rendered runbooks by name.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".md")] = render(t, path, templateValues)
	}
	return all
}

// Every alert has a runbook, and the other way round. Each has its three sections, and is
// within Cloud Monitoring's limits for documentation.
func TestRunbooks_sectionsAndSize(t *testing.T) {
	books := runbooks(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(alerts(t, true))), slices.Sorted(maps.Keys(books))); diff != "" {
		t.Errorf("(-alerts +runbooks):\n%s", diff)
	}
	for name, text := range books {
		at := 0
		for _, heading := range []string{"## What it means\n", "## What to look at\n", "## What to do\n"} {
			i := strings.Index(text[at:], heading)
			if i < 0 {
				t.Errorf("%s: section %q is missing or out of order", name, heading)
				continue
			}
			at += i
		}
		if n := utf8.RuneCountInString(text); n > 8192 || len(text) > 10240 {
			t.Errorf("%s: %d characters and %d bytes, want at most 8192 and 10240", name, n, len(text))
		}
	}
}

// Without the function's own metrics, dead letters are counted from the log, and no alert
// about the function or Pub/Sub needs our metrics.
func TestAlerts_withoutFunctionMetrics(t *testing.T) {
	queries := alerts(t, false)
	if q := queries["function-dead-letters"]; !strings.Contains(q, "logging_googleapis_com:user_aerosink_dead_letters{") {
		t.Errorf("query for dead letters: %s", q)
	}
	for name, q := range queries {
		if metric := ownMetrics.FindString(q); metric != "" && !strings.HasPrefix(name, "connector-") {
			t.Errorf("%s needs the metric %s", name, metric)
		}
	}
}
