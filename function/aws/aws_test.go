package aws_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/aws"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// section returns the text under a heading of the page about AWS.
func section(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the page has no %s", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// names returns the sorted matches of the expression's first group, without duplicates.
func names(expression, text string) []string {
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// The page's tables of the sinks list exactly the parameters that they know, and the metrics
// that exist once a change is stored.
func TestPage_sinks(t *testing.T) {
	for heading, url := range map[string]string{"SQS": awstest.QueueSink, "Kinesis": awstest.StreamSink} {
		text := section(t, heading)
		_, err := aws.Sinks().Parse(url+"?x=", sink.Options{})
		if err == nil {
			t.Fatalf("%s: no error", url)
		}
		_, known, _ := strings.Cut(err.Error(), "known are ")
		if diff := cmp.Diff(names(`([a-z-]+)`, known), names("(?m)^\\| `([a-z-]+)` \\|", text)); diff != "" {
			t.Errorf("%s (-sink +page):\n%s", heading, diff)
		}
		awstest.Start(t)
		r := prometheus.NewRegistry()
		spec, err := aws.Sinks().Parse(url, sink.Options{Metrics: r, Timeout: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if verdicts := sinktest.Open(t, spec).Put(t.Context(), sinktest.Batch("orders", 1)); verdicts != nil {
			t.Error(verdicts)
		}
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var metrics []string
		for _, f := range families {
			metrics = append(metrics, f.GetName())
		}
		if diff := cmp.Diff(metrics, names("`(aerosink_\\w+)`", text)); diff != "" {
			t.Errorf("%s (-metrics +page):\n%s", heading, diff)
		}
	}
}
