package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// variables returns values of the four required variables and those in pairs of name and
// value.
func variables(pairs ...string) map[string]string {
	all := map[string]string{"project": `"example-project"`, "region": `"europe-west1"`, "subnetwork": `"default"`, "aerospike_ranges": `["10.0.0.0/24"]`}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// urls returns the sink URLs in a local.
func (p *plan) urls(local string) (urls []string) {
	p.t.Helper()
	for _, v := range p.local(local).AsValueSlice() {
		urls = append(urls, v.AsString())
	}
	return urls
}

// The function finds no errors and no warnings in its default environment.
func TestSinks_defaults(t *testing.T) {
	p := newPlan(t, variables())
	environment := map[string]string{
		"SINKS":        strings.Join(append(p.urls("changes_sinks"), p.urls("archive_sinks")...), ","),
		"DEAD_LETTERS": p.local("dead_letters").AsString(),
	}
	found := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: google.Sinks()}.Examine([]string{"SINKS", "DEAD_LETTERS"})
	if len(found.Errors) > 0 || len(found.Warnings) > 0 {
		t.Errorf("environment %v: errors %v, warnings %v", environment, found.Errors, found.Warnings)
	}
}

// Terraform refuses exactly the values that the function refuses.
func TestSinks_sameValuesAsFunction(t *testing.T) {
	for _, tt := range []struct {
		variable, format string
		values           [2][]string
	}{
		{"changes", `{ data = %q, ordering = %s }`, [2][]string{{"json", "flat-json", "message-pack", "xdr", "avro", "as-received", "ndjson", "JSON", ""}, {"-1", "0", "1", "256", "4096", "4097", "1.5"}}},
		{"changes", `{ packed = { format = %q, compression = %q } }`, [2][]string{{"ndjson", "avro", "json", "parquet"}, {"none", "gzip", "zstd", "snappy"}}},
		{"archive", `{ format = %q, compression = %q }`, [2][]string{{"ndjson", "avro", "parquet", "csv"}, {"none", "gzip", "zstd", "snappy", "deflate", "lz4"}}},
		{"archive", `{ format = %q, linger_ms = %s }`, [2][]string{{"ndjson", "avro", "parquet"}, {"-1", "0", "1", "4000", "4001"}}},
	} {
		accepted := 0
		for _, first := range tt.values[0] {
			for _, second := range tt.values[1] {
				text := fmt.Sprintf(tt.format, first, second)
				p := newPlan(t, variables(tt.variable, text))
				messages := p.violations(tt.variable)
				url := p.urls(tt.variable + "_sinks")[0]
				_, err := google.Sinks().Parse(url, sink.Options{})
				if (err == nil) != (len(messages) == 0) {
					t.Errorf("%s = %s: Terraform reports %q, the function for %s: %v", tt.variable, text, messages, url, err)
				}
				if err == nil {
					accepted++
				}
			}
		}
		if all := len(tt.values[0]) * len(tt.values[1]); accepted == 0 || accepted == all {
			t.Errorf("%s = %s: %d of %d are accepted, want some but not all", tt.variable, tt.format, accepted, all)
		}
	}
}

func TestArchiveSink_prefixAndPath(t *testing.T) {
	for _, tt := range []struct {
		prefix, path string
		refused      string // the attribute that is refused, or ""
	}{
		{"changes", "namespace={namespace}/set={set}/dt={date}/hour={hour}", ""},
		{"a/b-c/d_e.f", "{op}/{minute}/{partition}", ""},
		{"changes", "shard={shard:16}~x", ""},
		{"changes", "{shard:999}", ""},
		{strings.Repeat("p", 100), strings.Repeat("{op}", 30), ""},
		{"changes", strings.Repeat("{op}", 31), "archive.path"},
		{strings.Repeat("p", 101), "{op}", "archive.prefix"},
		{"/changes", "{op}", "archive.prefix"},
		{"changes/", "{op}", "archive.prefix"},
		{"a//b", "{op}", "archive.prefix"},
		{"a/../b", "{op}", "archive.prefix"},
		{"a?b", "{op}", "archive.prefix"},
		{"a,b", "{op}", "archive.prefix"},
		{"", "{op}", "archive.prefix"},
		{"changes", "", "archive.path"},
		{"changes", "/{op}", "archive.path"},
		{"changes", "{op}/", "archive.path"},
		{"changes", "a/../{op}", "archive.path"},
		{"changes", "{digest}", "archive.path"},
		{"changes", "{op", "archive.path"},
		{"changes", "op}", "archive.path"},
		{"changes", "{shard:0}", "archive.path"},
		{"changes", "{shard:4097}", "archive.path"},
		{"changes", "a b", "archive.path"},
		{"changes", "a,b", "archive.path"},
	} {
		p := newPlan(t, variables("archive", fmt.Sprintf("{ prefix = %q, path = %q }", tt.prefix, tt.path)))
		messages := strings.Join(p.violations("archive"), "\n")
		if tt.refused != "" {
			if !strings.HasPrefix(messages, tt.refused+" must ") {
				t.Errorf("prefix %q and path %q: %q, want an error about %s", tt.prefix, tt.path, messages, tt.refused)
			}
			continue
		}
		url := p.urls("archive_sinks")[0]
		if _, err := google.Sinks().Parse(url, sink.Options{}); messages != "" || err != nil || strings.Contains(url, ",") {
			t.Errorf("prefix %q and path %q: Terraform reports %q, the function for %s: %v", tt.prefix, tt.path, messages, url, err)
		}
	}
}

func TestArchiveSink_none(t *testing.T) {
	if urls := newPlan(t, variables("archive", "null")).urls("archive_sinks"); len(urls) > 0 {
		t.Errorf("sinks %q, want none without an archive", urls)
	}
}

// The function may publish only after all subscriptions exist: an earlier message would be
// lost.
func TestPublisher_waitsForSubscriptions(t *testing.T) {
	resources := newPlan(t, variables()).resources
	publisher := resources["google_pubsub_topic_iam_member"]["changes_ingest"]
	for name, s := range resources["google_pubsub_subscription"] {
		if refers(s.Attributes["topic"].Expr, "google_pubsub_topic", "changes") && !refers(publisher.Attributes["depends_on"].Expr, "google_pubsub_subscription", name) {
			t.Errorf("the publisher does not wait for the subscription %s", name)
		}
	}
}

// refers reports whether an expression refers to kind.name, such as a resource or a local.
func refers(e hcl.Expression, kind, name string) bool {
	return slices.ContainsFunc(e.Variables(), func(to hcl.Traversal) bool {
		member, ok := to[1].(hcl.TraverseAttr)
		return ok && to.RootName() == kind && member.Name == name
	})
}
