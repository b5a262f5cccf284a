package tests

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// metricSet holds the labels that a query may use, by metric name.
type metricSet map[string]map[string]bool

// targetLabels are the labels that Managed Service for Prometheus adds to all scraped
// metrics. A label namespace of our own becomes exported_namespace.
var targetLabels = []string{"cluster", "instance", "job", "location", "namespace"}

// googleMetrics are Google's own metrics that we use, with the labels that we use:
// https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
// https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub
// Their names in PromQL: https://cloud.google.com/monitoring/promql/promql-mapping
var googleMetrics = map[string]string{
	"run_googleapis_com:request_count":                              "service_name response_code",
	"run_googleapis_com:container_instance_count":                   "service_name state",
	"run_googleapis_com:container_billable_instance_time":           "service_name",
	"run_googleapis_com:container_cpu_utilizations_bucket":          "service_name le",
	"run_googleapis_com:container_memory_utilizations_bucket":       "service_name le",
	"run_googleapis_com:container_max_request_concurrencies_bucket": "service_name le",
	"pubsub_googleapis_com:subscription_oldest_unacked_message_age": "subscription_id",
	"pubsub_googleapis_com:subscription_num_undelivered_messages":   "subscription_id",
	"pubsub_googleapis_com:subscription_dead_letter_message_count":  "subscription_id",
	"pubsub_googleapis_com:subscription_byte_cost":                  "subscription_id",
	"logging_googleapis_com:user_aerosink_dead_letters":             "", // ours, from logs.tf
}

// exposedMetrics returns Google's metrics and those that both programs expose after a change
// has passed through both. Some metrics do not exist before.
func exposedMetrics(t *testing.T) metricSet {
	t.Helper()
	sinktest.New(t)
	function := exec.Command(program(t, "sink"))
	function.Env = append(os.Environ(), "PORT=0", "METRICS_PORT=0", "SINKS="+sinktest.PubSubSink+"?ordering=2,"+sinktest.ArchiveSink)
	sink := start(t, function)
	connector := start(t, exec.Command(program(t, "connector"), "-config", configure(t, "http://127.0.0.1:"+sink.Find(t, `msg="sink started" address=\S+:(\d+)`))))
	ship(t, connector.Find(t, `"xdr":\["([^"]+)"`))

	all := metricSet{}
	for _, address := range []string{"127.0.0.1:" + sink.Find(t, `msg="serving metrics" address=\S+:(\d+)`), connector.Find(t, `"manage":\["([^"]+)"`)} {
		all.scrape(t, "http://"+address+"/metrics")
	}
	for name, labels := range googleMetrics {
		all.add(name, append(strings.Fields(labels), "monitored_resource"))
	}
	return all
}

// start runs a program until the test ends, and returns its log.
func start(t *testing.T, program *exec.Cmd) *changetest.Output {
	t.Helper()
	log := new(changetest.Output)
	program.Stderr = log
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait() // returns an error, since it was killed
	})
	return log
}

// configure writes a configuration with which the connector exposes all of its metrics: it
// has a destination that needs tokens, and a port with a certificate.
func configure(t *testing.T, sink string) string {
	t.Helper()
	folder := t.TempDir()
	changetest.NewAuthority(t).Write(t, folder, "server", "127.0.0.1", time.Now().Add(time.Hour))
	path := filepath.Join(folder, "connector.yml")
	text := fmt.Sprintf(`service:
  {port: 0, address: 127.0.0.1, tls: {port: 0, address: 127.0.0.1, cert-file: server.crt, key-file: server.key}, manage: {port: 0, address: 127.0.0.1}}
destinations:
  function: {urls: [%q], call-timeout: 8s}
  guarded: {urls: ["https://127.0.0.1:1"], auth: {mode: google-id-token}, health-check: {enabled: false}}
routing: {mode: static, destination: function}
format: json
`, sink)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ship ships a change, and waits until it has been stored.
func ship(t *testing.T, connector string) {
	t.Helper()
	s := &xdrtest.Source{Address: connector}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	s.Write(change.Change{Namespace: "shop", Set: "orders", Digest: change.Digest{1}, Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(1)}}})
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var (
	sample = regexp.MustCompile(`(?m)^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$`)
	label  = regexp.MustCompile(`(\w+)="`)
)

// scrape adds the metrics at url.
func (f metricSet) scrape(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range sample.FindAllStringSubmatch(string(text), -1) {
		labels := append([]string{}, targetLabels...)
		for _, l := range label.FindAllStringSubmatch(found[2], -1) {
			labels = append(labels, strings.Replace(l[1], "namespace", "exported_namespace", 1))
		}
		f.add(found[1], labels)
	}
}

func (f metricSet) add(name string, labels []string) {
	if f[name] == nil {
		f[name] = map[string]bool{}
	}
	for _, l := range labels {
		f[name][l] = true
	}
}
