package tests

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v4"
)

// named are what templates are rendered with.
var named = map[string]cty.Value{
	"project": cty.StringVal("example-project"), "region": cty.StringVal("europe-west1"), "port": cty.NumberIntVal(8902),
	"prefix": cty.StringVal("aerosink"), "service": cty.StringVal("aerosink-ingest"), "figures": cty.True,
}

// panel is what both kinds of dashboard say of one chart. One that only heads those
// below it has no queries.
type panel struct {
	Title, Kind, Unit string
	Queries           []string
}

// units are those of Grafana, by what Cloud Monitoring calls them.
var units = map[string]string{"1": "short", "1/s": "ops", "s": "s", "By": "bytes", "By/s": "Bps", "10^2.%": "percentunit"}

// query is one of Cloud Monitoring.
type query struct{ PrometheusQuery, UnitOverride string }

// monitoring returns the panels of a dashboard for Cloud Monitoring.
func monitoring(t *testing.T, half string) []panel {
	t.Helper()
	var d struct {
		MosaicLayout struct {
			Tiles []struct {
				Widget struct {
					Title         string
					SectionHeader *struct{}
					Scorecard     *struct{ TimeSeriesQuery query }
					XYChart       *struct {
						DataSets []struct{ TimeSeriesQuery query }
					}
				}
			}
		}
	}
	decode(t, []byte(render(t, "dashboards/"+half+".json.tftpl", named)), &d)
	var all []panel
	for _, tile := range d.MosaicLayout.Tiles {
		p := panel{Title: tile.Widget.Title, Kind: "row"}
		var queries []query
		switch w := tile.Widget; {
		case w.Scorecard != nil:
			p.Kind, queries = "stat", []query{w.Scorecard.TimeSeriesQuery}
		case w.XYChart != nil:
			p.Kind = "timeseries"
			for _, set := range w.XYChart.DataSets {
				queries = append(queries, set.TimeSeriesQuery)
			}
		}
		for _, q := range queries {
			p.Unit = units[q.UnitOverride]
			p.Queries = append(p.Queries, q.PrometheusQuery)
		}
		all = append(all, p)
	}
	return all
}

// grafana returns the panels of a dashboard for Grafana, with the variables as they
// are at first.
func grafana(t *testing.T, half string) []panel {
	t.Helper()
	text, err := os.ReadFile("dashboards/" + half + ".grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []struct {
			Title, Type string
			Datasource  struct{ UID string }
			FieldConfig struct{ Defaults struct{ Unit string } }
			Targets     []struct{ Expr string }
		}
	}
	decode(t, text, &d)
	var all []panel
	for _, p := range d.Panels {
		if p.Type != "row" && p.Datasource.UID != "${datasource}" {
			t.Errorf("%s, %s: its data source is %s, and cannot be chosen", half, p.Title, p.Datasource.UID)
		}
		one := panel{Title: p.Title, Kind: p.Type, Unit: p.FieldConfig.Defaults.Unit}
		for _, target := range p.Targets {
			for _, v := range d.Templating.List {
				target.Expr = strings.ReplaceAll(target.Expr, "$"+v.Name, v.Query)
			}
			one.Queries = append(one.Queries, target.Expr)
		}
		all = append(all, one)
	}
	return all
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// Whoever has Grafana sees what Cloud Monitoring shows.
func TestDashboardsAreAlike(t *testing.T) {
	for _, half := range []string{"connector", "function"} {
		if diff := cmp.Diff(monitoring(t, half), grafana(t, half)); diff != "" {
			t.Errorf("%s (-Cloud Monitoring +Grafana):\n%s", half, diff)
		}
	}
}

// Cloud Monitoring leaves out of what it returns what is 0 or empty. With such a
// value in the file, Terraform would want to change the dashboard for ever. Its grid
// has twelve columns.
func TestDashboardsStay(t *testing.T) {
	for _, half := range []string{"connector", "function"} {
		text := render(t, "dashboards/"+half+".json.tftpl", named)
		if empty := regexp.MustCompile(`"\w+": (0|""|\[\]|\{\}|false|null)[,}\]\s]`).FindString(text); empty != "" {
			t.Errorf("%s: %s", half, empty)
		}
		var d struct {
			MosaicLayout struct{ Tiles []struct{ XPos, Width int } }
		}
		decode(t, []byte(text), &d)
		for i, tile := range d.MosaicLayout.Tiles {
			if tile.XPos+tile.Width > 12 {
				t.Errorf("%s: tile %d reaches column %d", half, i, tile.XPos+tile.Width)
			}
		}
	}
}

// What is drawn, alerted on, or asked for in a runbook is there.
func TestQueriesHaveTheirFigures(t *testing.T) {
	known := exposed(t)
	for where, queries := range queries(t) {
		if len(queries) == 0 && !slices.Contains(bare, where) {
			t.Errorf("%s: no queries", where)
		}
		for _, q := range queries {
			if err := known.check(q); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	for name, text := range runbooks(t) {
		for _, figure := range ours.FindAllString(text, -1) {
			if known[figure] == nil {
				t.Errorf("runbook %s: unknown metric %s", name, figure)
			}
		}
	}
}

// ours are names of our own metrics and of ESP's.
var ours = regexp.MustCompile(`\b(aerosink_(connector|function|pubsub|archive)|aerospike_esp_outbound)_\w+`)

// queries are all there are, by where they stand.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, half := range []string{"connector", "function"} {
		for _, p := range monitoring(t, half) {
			all["dashboard "+half] = append(all["dashboard "+half], p.Queries...)
		}
	}
	for _, figures := range []bool{true, false} {
		for name, query := range alerts(t, figures) {
			all["alert "+name] = append(all["alert "+name], query)
		}
	}
	asked := regexp.MustCompile(`--data-urlencode 'query=([^']+)'`)
	for name, text := range runbooks(t) {
		all["runbook "+name] = nil
		for _, found := range asked.FindAllStringSubmatch(text, -1) {
			all["runbook "+name] = append(all["runbook "+name], found[1])
		}
	}
	return all
}

// The collectors let through what is looked at, and of what is not ours nothing else.
// The sidecar wants the time of the start for itself.
func TestCollectorsKeepWhatIsLookedAt(t *testing.T) {
	name := regexp.MustCompile(`[a-zA-Z_:][\w:]*\{`)
	looked := map[string]bool{"process_start_time_seconds": true}
	for _, queries := range queries(t) {
		for _, q := range queries {
			for _, n := range name.FindAllString(q, -1) {
				if n = strings.TrimSuffix(n, "{"); !strings.Contains(n, ":") {
					looked[n] = true
				}
			}
		}
	}
	both := regexp.MustCompile(kept(t, render(t, "templates/collector.yaml.tftpl", named)) + "|" + kept(t, read(t, "templates/run-monitoring.yaml")))
	for n := range looked {
		if both.FindString(n) != n {
			t.Errorf("%s is looked at, and no collector keeps it", n)
		}
	}
	for _, n := range []string{"go_goroutines", "go_gc_duration_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} {
		if both.FindString(n) == n && !looked[n] {
			t.Errorf("%s is kept, and nobody looks at it", n)
		}
	}
}

// kept returns the expression of the names that a collector keeps.
func kept(t *testing.T, text string) string {
	t.Helper()
	var whole any
	if err := yaml.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s+regex: (.+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the collector keeps everything")
	}
	return found[1]
}
