package sqs

import (
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
)

// section returns the section about SQS of AWS.md.
func section(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## SQS\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// names returns the matches of the expression's first group, sorted and each once.
func names(expression, text string) []string {
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// AWS.md lists exactly the parameters that the sink knows.
func TestReadme_parameters(t *testing.T) {
	u, err := url.Parse(awstest.QueueSink + "?x=")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(u, sink.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	_, known, _ := strings.Cut(err.Error(), "known are ")
	if diff := cmp.Diff(names(`([a-z-]+)`, known), names("(?m)^\\| `([a-z-]+)` \\|", section(t))); diff != "" {
		t.Errorf("(-sink +AWS.md):\n%s", diff)
	}
}

// AWS.md lists exactly the metrics that there are once a change is sent.
func TestReadme_metrics(t *testing.T) {
	awstest.Start(t)
	r := prometheus.NewRegistry()
	s := open(t, awstest.QueueSink, sink.Options{Metrics: r})
	wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1))), "ok")
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, f := range families {
		known = append(known, f.GetName())
	}
	if diff := cmp.Diff(known, names("`(aerosink_\\w+)`", section(t))); diff != "" {
		t.Errorf("(-metrics +AWS.md):\n%s", diff)
	}
}
