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

// templateValues are the variables for rendering templates.
var templateValues = map[string]cty.Value{
	"project": cty.StringVal("example-project"), "region": cty.StringVal("europe-west1"), "port": cty.NumberIntVal(8902),
	"prefix": cty.StringVal("aerosink"), "service": cty.StringVal("aerosink-ingest"), "metrics": cty.True,
}

// panel is what both kinds of dashboard have in common. The heading of a section is a panel
// without queries.
type panel struct {
	Title, Kind, Unit string
	Queries           []string
}

// units are Grafana's names for Cloud Monitoring's units.
var units = map[string]string{"1": "short", "1/s": "ops", "s": "s", "By": "bytes", "By/s": "Bps", "10^2.%": "percentunit"}

// query is a query of a Cloud Monitoring dashboard.
type query struct{ PrometheusQuery, UnitOverride string }

// monitoring returns the panels of a Cloud Monitoring dashboard.
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
	decode(t, []byte(render(t, "dashboards/"+half+".json.tftpl", templateValues)), &d)
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

// grafana returns the panels of a Grafana dashboard, with its variables replaced by their
// defaults.
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
			t.Errorf("%s, %s: fixed data source %s, want ${datasource}", half, p.Title, p.Datasource.UID)
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

// The Grafana dashboards have the same panels as those in Cloud Monitoring.
func TestDashboards_sameInGrafana(t *testing.T) {
	for _, half := range []string{"connector", "function"} {
		if diff := cmp.Diff(monitoring(t, half), grafana(t, half)); diff != "" {
			t.Errorf("%s (-Cloud Monitoring +Grafana):\n%s", half, diff)
		}
	}
}

// Cloud Monitoring omits zero and empty values when it returns a dashboard. With such a value
// in the file, every plan would change the dashboard. Tiles must fit in its grid of twelve
// columns.
func TestDashboards_noPermanentDiff(t *testing.T) {
	for _, half := range []string{"connector", "function"} {
		text := render(t, "dashboards/"+half+".json.tftpl", templateValues)
		if empty := regexp.MustCompile(`"\w+": (0|""|\[\]|\{\}|false|null)[,}\]\s]`).FindString(text); empty != "" {
			t.Errorf("%s: empty value %s", half, empty)
		}
		var d struct {
			MosaicLayout struct{ Tiles []struct{ XPos, Width int } }
		}
		decode(t, []byte(text), &d)
		for i, tile := range d.MosaicLayout.Tiles {
			if tile.XPos+tile.Width > 12 {
				t.Errorf("%s: tile %d ends at column %d, want at most 12", half, i, tile.XPos+tile.Width)
			}
		}
	}
}

// Dashboards, alerts and runbooks use only metrics and labels that exist.
func TestQueries_knownMetrics(t *testing.T) {
	known := exposedMetrics(t)
	for where, queries := range queries(t) {
		if len(queries) == 0 && !slices.Contains(withoutQueries, where) {
			t.Errorf("%s: no queries", where)
		}
		for _, q := range queries {
			if err := known.check(q); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	for name, text := range runbooks(t) {
		for _, metric := range ownMetrics.FindAllString(text, -1) {
			if known[metric] == nil {
				t.Errorf("runbook %s: unknown metric %s", name, metric)
			}
		}
	}
}

// ownMetrics matches the names of our own metrics, including those with ESP's names.
var ownMetrics = regexp.MustCompile(`\b(aerosink_(connector|function|pubsub|archive)|aerospike_esp_outbound)_\w+`)

// queries returns all queries in dashboards, alerts and runbooks, by where they are.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, half := range []string{"connector", "function"} {
		for _, p := range monitoring(t, half) {
			all["dashboard "+half] = append(all["dashboard "+half], p.Queries...)
		}
	}
	for _, withMetrics := range []bool{true, false} {
		for name, query := range alerts(t, withMetrics) {
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

// The collectors keep all metrics that are queried, and no other metrics of Go and of the
// process. The sidecar itself needs process_start_time_seconds.
func TestCollectors_keepQueriedMetrics(t *testing.T) {
	name := regexp.MustCompile(`[a-zA-Z_:][\w:]*\{`)
	queried := map[string]bool{"process_start_time_seconds": true}
	for _, queries := range queries(t) {
		for _, q := range queries {
			for _, n := range name.FindAllString(q, -1) {
				if n = strings.TrimSuffix(n, "{"); !strings.Contains(n, ":") {
					queried[n] = true
				}
			}
		}
	}
	both := regexp.MustCompile(keepRegex(t, render(t, "templates/collector.yaml.tftpl", templateValues)) + "|" + keepRegex(t, read(t, "templates/run-monitoring.yaml")))
	for n := range queried {
		if both.FindString(n) != n {
			t.Errorf("%s is queried, but no collector keeps it", n)
		}
	}
	for _, n := range []string{"go_goroutines", "go_gc_duration_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} {
		if both.FindString(n) == n && !queried[n] {
			t.Errorf("%s is kept, but not queried", n)
		}
	}
}

// keepRegex returns the regular expression of the metrics that a collector keeps.
func keepRegex(t *testing.T, text string) string {
	t.Helper()
	var decoded any
	if err := yaml.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s+regex: (.+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("no regex: the collector keeps everything")
	}
	return found[1]
}
