package function_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns the text under a heading of the README.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(readme(t), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the README has no %s", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
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

// The README's tables of sinks list exactly the parameters that the sinks know.
func TestReadme_sinkParameters(t *testing.T) {
	for heading, urls := range map[string][]string{
		"## Pub/Sub": {"pubsub://my-project/changes?x="}, "## Cloud Storage": {"gs://bucket?x="},
		"## Aerospike": {"aerospike://host/namespace/set?mode=raw&x=", "aerospike://host/namespace?mode=records&x="},
	} {
		known := ""
		for _, url := range urls {
			_, err := google.Sinks().Parse(url, sink.Options{})
			if err == nil {
				t.Fatalf("%s: no error", url)
			}
			_, list, _ := strings.Cut(err.Error(), "known are ")
			known += list + ", "
		}
		if diff := cmp.Diff(names(`([a-z-]+)`, known), names("(?m)^\\| `([a-z-]+)` \\|", section(t, heading))); diff != "" {
			t.Errorf("%s (-sink +README):\n%s", heading, diff)
		}
	}
}

// The README's table of media types lists exactly those that a response with status 415 does.
func TestReadme_mediaTypes(t *testing.T) {
	r, _ := newReceiver(t, env("SINKS", "log:"))
	for _, mediaType := range []string{"text/plain", ""} {
		w := post(r, mediaType, "{}")
		_, accepted, _ := strings.Cut(w.Body.String(), "want ")
		expression := "([a-z]+/[a-z.-]+)"
		table := strings.Join(names("(?m)^\\| (`[^|]*`) \\|", section(t, "## Requests")), " ")
		if diff := cmp.Diff(names(expression, accepted), names(expression, table)); w.Code != http.StatusUnsupportedMediaType || diff != "" {
			t.Errorf("%q: status %d (-response +README):\n%s", mediaType, w.Code, diff)
		}
	}
}

// The README's table of metrics lists exactly the metrics that exist once a change is stored.
func TestReadme_metrics(t *testing.T) {
	sinktest.New(t)
	node := devnodetest.Start(t, devnode.Config{})
	r, _ := newReceiver(t, env("SINKS", both+",aerospike://"+node.Addr()+"/test/raw?mode=raw&from=shop"))
	if w := post(r, "application/json", jsonChange(1)); w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if diff := cmp.Diff(names(`# HELP (aerosink_\w+) `, w.Body.String()), names("`(aerosink_\\w+)`", section(t, "## Metrics"))); diff != "" {
		t.Errorf("(-metrics +README):\n%s", diff)
	}
}

// The README's table of variables has every variable in the code.
func TestReadme_variables(t *testing.T) {
	text := readme(t)
	for _, v := range (settings.Environment{Sinks: google.Sinks()}).Variables() {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "` "
		}
		if row := fmt.Sprintf("| `%s` | %s| %s |", v.Name, value, v.Meaning); !strings.Contains(text, row) {
			t.Errorf("the README has no row %s", row)
		}
	}
}

// The README's table of a fence has parameters that a fence in Aerospike knows.
func TestReadme_fenceParameters(t *testing.T) {
	_, err := google.Sinks().Parse("aerospike://127.0.0.1:3000/state/fence?mode=fence&x=", sink.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	_, known, _ := strings.Cut(err.Error(), "known are ")
	listed := names("(?m)^\\| `([a-z-]+)` \\|", section(t, "## Fence"))
	if len(listed) != 4 {
		t.Errorf("the README has %v", listed)
	}
	for _, name := range listed {
		if !slices.Contains(names(`([a-z-]+)`, known), name) {
			t.Errorf("the README has %s, the fence knows %s", name, known)
		}
	}
}
