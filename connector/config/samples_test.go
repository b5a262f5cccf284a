package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// espSample returns a configuration in testdata/esp, which are as users of ESP write them.
func espSample(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "esp", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Configurations of ESP are accepted as they are, with no more to say than this.
func TestExamine_samples(t *testing.T) {
	const health, everywhere, letters = "health-check.call-timeout", "service.address", "dead-letters"
	for name, want := range map[string][]string{
		"anchors.yml": {"note: destinations.east." + health, "note: destinations.west." + health, "note: " + everywhere, "note: " + letters},
		"digest-header.yml": {
			"warning: destinations.dc1.headers.Content-Type", "note: destinations.dc1." + health, "note: " + everywhere, "note: " + letters,
		},
		"ports.yml":           {"note: " + everywhere, "note: " + letters},
		"pubsub-outbound.yml": {"error: "},
	} {
		found := config.Examine(espSample(t, name), t.TempDir())
		var got []string
		for _, e := range found.Errors {
			got = append(got, "error: "+e.Path)
		}
		for _, w := range found.Warnings {
			got = append(got, "warning: "+w.Path)
		}
		for _, n := range found.Notes {
			got = append(got, "note: "+n.Path)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%v\n%v", name, diff, found.Errors, found.Warnings)
		}
	}
	if all, err := filepath.Glob("testdata/esp/*.yml"); err != nil || len(all) != 4 {
		t.Errorf("%d samples, %v", len(all), err)
	}
}

// Merged keys, quoted values and numbers with underscores.
func TestParse_sampleOfAnchors(t *testing.T) {
	c := read(t, string(espSample(t, "anchors.yml")), "")
	for name, call := range map[string]time.Duration{"east": 5100 * time.Millisecond, "west": 2 * time.Second} {
		d := c.Destinations[name]
		if d.Protocol != post.HTTP2 || d.ConnectTimeout != time.Second || d.CallTimeout != call || d.Connections != 20 || d.Health.CallTimeout != 5100*time.Millisecond {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if url := c.Destinations["west"].URLs[0].String(); url != "http://127.0.0.1:9200" || !c.Logging.Console {
		t.Errorf("URL %s, console %v", url, c.Logging.Console)
	}
	if got := config.Describe(c.Pipelines.Root); got != "east+west json 100" {
		t.Error(got)
	}
}

// The digest of the record is sent, and Content-Type replaces that of JSON.
func TestParse_sampleOfHeaders(t *testing.T) {
	d := read(t, string(espSample(t, "digest-header.yml")), "").Destinations["dc1"]
	if diff := cmp.Diff([]post.Header{{Name: "Aerosink-Digest", Of: post.FactDigest}}, d.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"application/json": "application/json; charset=utf-8"}, d.MediaTypes); diff != "" {
		t.Errorf("media types (-want +got):\n%s", diff)
	}
}

// Each port has its own way.
func TestParse_sampleOfPorts(t *testing.T) {
	c := read(t, string(espSample(t, "ports.yml")), "")
	for port, want := range map[int]string{8901: "stream flat-json 1", 9901: "audit json 200"} {
		if got := config.Describe(c.Ports[port].Of("shop", "")); got != want {
			t.Errorf("port %d: %s, want %s", port, got, want)
		}
	}
	if p := c.Ports[9901].Of("shop", "sessions"); len(p.Rule.Destinations) > 0 {
		t.Errorf("sessions on port 9901: %v, want them skipped", p.Rule)
	}
	if got := fmt.Sprint(c.Service.Listen); got != "[0.0.0.0:8901 0.0.0.0:9901]" {
		t.Error(got)
	}
}

// A configuration of another connector of Aerospike is named, rather than each of its keys.
func TestExamine_pubSub(t *testing.T) {
	found := config.Examine(espSample(t, "pubsub-outbound.yml"), "")
	if got := found.Errors.Error(); !strings.HasPrefix(got, "line 2: a configuration of Aerospike Connect for Pub/Sub, which has topics instead of destinations; ") {
		t.Error(got)
	}
}
