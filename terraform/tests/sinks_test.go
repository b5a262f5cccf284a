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

// variables returns the four variables that have no default, and those given by pairs
// of name and value.
func variables(pairs ...string) map[string]string {
	all := map[string]string{"project": `"example-project"`, "region": `"europe-west1"`, "subnetwork": `"default"`, "aerospike_ranges": `["10.0.0.0/24"]`}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// urls returns the URLs of sinks in a local.
func (p *plan) urls(local string) (urls []string) {
	p.t.Helper()
	for _, v := range p.local(local).AsValueSlice() {
		urls = append(urls, v.AsString())
	}
	return urls
}

// The function understands what it is told by default, and has nothing to say to it.
func TestSinksByDefault(t *testing.T) {
	p := newPlan(t, variables())
	environment := map[string]string{
		"SINKS":        strings.Join(append(p.urls("changes_sinks"), p.urls("archive_sinks")...), ","),
		"DEAD_LETTERS": p.local("dead_letters").AsString(),
	}
	found := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: google.Sinks()}.Examine([]string{"SINKS", "DEAD_LETTERS"})
	if len(found.Errors) > 0 || len(found.Warnings) > 0 {
		t.Errorf("of %v: %v, %v", environment, found.Errors, found.Warnings)
	}
}

// Terraform refuses what the function would, and nothing else.
func TestWordsOfSinks(t *testing.T) {
	for _, tt := range []struct {
		variable, form string
		words          [2][]string
	}{
		{"changes", `{ data = %q, ordering = %s }`, [2][]string{{"json", "flat-json", "message-pack", "xdr", "avro", "as-received", "ndjson", "JSON", ""}, {"-1", "0", "1", "256", "4096", "4097", "1.5"}}},
		{"changes", `{ packed = { format = %q, compression = %q } }`, [2][]string{{"ndjson", "avro", "json", "parquet"}, {"none", "gzip", "zstd", "snappy"}}},
		{"archive", `{ format = %q, compression = %q }`, [2][]string{{"ndjson", "avro", "parquet", "csv"}, {"none", "gzip", "zstd", "snappy", "deflate", "lz4"}}},
		{"archive", `{ format = %q, linger_ms = %s }`, [2][]string{{"ndjson", "avro", "parquet"}, {"-1", "0", "1", "4000", "4001"}}},
	} {
		taken := 0
		for _, first := range tt.words[0] {
			for _, second := range tt.words[1] {
				text := fmt.Sprintf(tt.form, first, second)
				p := newPlan(t, variables(tt.variable, text))
				refusals := p.refusals(tt.variable)
				url := p.urls(tt.variable + "_sinks")[0]
				_, err := google.Sinks().Parse(url, sink.Options{})
				if (err == nil) != (len(refusals) == 0) {
					t.Errorf("%s = %s: Terraform says %q, and of %s the function %v", tt.variable, text, refusals, url, err)
				}
				if err == nil {
					taken++
				}
			}
		}
		if all := len(tt.words[0]) * len(tt.words[1]); taken == 0 || taken == all {
			t.Errorf("%s = %s: %d of %d are taken", tt.variable, tt.form, taken, all)
		}
	}
}

func TestFoldersOfTheArchive(t *testing.T) {
	for _, tt := range []struct {
		prefix, path string
		refused      string
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
		refusals := strings.Join(p.refusals("archive"), "\n")
		if tt.refused != "" {
			if !strings.HasPrefix(refusals, tt.refused+" must ") {
				t.Errorf("prefix %q and path %q: %q, want a refusal of %s", tt.prefix, tt.path, refusals, tt.refused)
			}
			continue
		}
		url := p.urls("archive_sinks")[0]
		if _, err := google.Sinks().Parse(url, sink.Options{}); refusals != "" || err != nil || strings.Contains(url, ",") {
			t.Errorf("prefix %q and path %q: Terraform says %q, and of %s the function %v", tt.prefix, tt.path, refusals, url, err)
		}
	}
}

func TestNoArchive(t *testing.T) {
	if urls := newPlan(t, variables("archive", "null")).urls("archive_sinks"); len(urls) > 0 {
		t.Errorf("%q without an archive", urls)
	}
}

// The function may publish when every subscription of ours is there: what was
// published before is in none.
func TestPublisherWaits(t *testing.T) {
	resources := newPlan(t, variables()).resources
	publisher := resources["google_pubsub_topic_iam_member"]["changes_ingest"]
	for name, s := range resources["google_pubsub_subscription"] {
		if refers(s.Attributes["topic"].Expr, "google_pubsub_topic", "changes") && !refers(publisher.Attributes["depends_on"].Expr, "google_pubsub_subscription", name) {
			t.Errorf("the publisher does not wait for the subscription %s", name)
		}
	}
}

// refers reports whether an expression refers to a resource.
func refers(e hcl.Expression, kind, name string) bool {
	return slices.ContainsFunc(e.Variables(), func(to hcl.Traversal) bool {
		member, ok := to[1].(hcl.TraverseAttr)
		return ok && to.RootName() == kind && member.Name == name
	})
}
