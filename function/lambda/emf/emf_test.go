package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/lambda"
	"github.com/aerosink/aerosink/function/lambda/emf"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// document is a line as CloudWatch reads it.
type document struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
	FunctionName string
}

// read returns the values of a line by name, and checks that it is one that CloudWatch accepts.
func read(t *testing.T, line []byte) map[string]float64 {
	t.Helper()
	var d document
	var members map[string]any
	if err := errors.Join(json.Unmarshal(line, &d), json.Unmarshal(line, &members)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		t.Errorf("not one line: %q", line)
	}
	if len(d.AWS.CloudWatchMetrics) != 1 {
		t.Fatalf("%s: %d directives", line, len(d.AWS.CloudWatchMetrics))
	}
	directive := d.AWS.CloudWatchMetrics[0]
	if directive.Namespace != "Aerosink" || fmt.Sprint(directive.Dimensions) != "[[FunctionName]]" || len(directive.Metrics) > 100 {
		t.Errorf("%s", line)
	}
	values := map[string]float64{}
	for _, m := range directive.Metrics {
		value, ok := members[m.Name].(float64)
		if !ok || !slices.Contains([]string{"Count", "Bytes", "Seconds", "None"}, m.Unit) {
			t.Errorf("metric %s: %v %s", m.Name, members[m.Name], m.Unit)
		}
		values[m.Name] = value
	}
	if len(members) != len(values)+2 {
		t.Errorf("%s has members that are no metric", line)
	}
	return values
}

// series is a registry with some metrics of the function.
type series struct {
	*prometheus.Registry
	requests, changes *prometheus.CounterVec
	seconds           prometheus.Histogram
	ready             prometheus.Gauge
}

func newSeries() series {
	s := series{
		Registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aerosink_function_requests_total"}, []string{"code"}),
		changes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aerosink_function_changes_total"}, []string{"namespace", "verdict"}),
		seconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "aerosink_function_request_seconds"}),
		ready:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "aerosink_function_ready"}),
	}
	s.MustRegister(s.requests, s.changes, s.seconds, s.ready)
	return s
}

// A line has what counters have grown by, over all namespaces, and gauges as they are. There
// is at most one a second, and none without a call.
func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeries()
		var out bytes.Buffer
		w := emf.New(&out, s, "aerosink-\"é\"")
		write := func(want map[string]float64) {
			t.Helper()
			out.Reset()
			if err := w.Write(); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				if out.Len() > 0 {
					t.Errorf("wrote %s", &out)
				}
				return
			}
			if diff := cmp.Diff(want, read(t, out.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		write(map[string]float64{"Ready": 0})
		s.requests.WithLabelValues("200").Add(3)
		s.requests.WithLabelValues("503").Add(1)
		s.requests.WithLabelValues("415").Add(1)
		s.changes.WithLabelValues("a", "stored").Add(1e6)
		s.changes.WithLabelValues("b", "stored").Add(1)
		s.changes.WithLabelValues("b", "retry").Add(7)
		s.seconds.Observe(0.25)
		s.seconds.Observe(1)
		time.Sleep(time.Second - time.Nanosecond)
		write(nil)
		time.Sleep(time.Nanosecond)
		s.ready.Set(1)
		write(map[string]float64{"Requests": 5, "Requests4xx": 1, "Requests5xx": 1, "ChangesStored": 1_000_001, "ChangesRetry": 7, "RequestSeconds": 1.25, "Ready": 1})
		s.requests.WithLabelValues("200").Inc()
		write(nil)
		time.Sleep(time.Hour)
		write(map[string]float64{"Requests": 1, "Ready": 1})
		if want := fmt.Sprintf(`{"_aws":{"Timestamp":%d,`, time.Now().UnixMilli()); !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), `"FunctionName":"aerosink-\"é\""`) {
			t.Errorf("%s, want %s", &out, want)
		}
	})
}

// faulty is a buffer that fails while fault is set.
type faulty struct {
	bytes.Buffer
	fault error
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.fault != nil {
		return 0, f.fault
	}
	return f.Buffer.Write(p)
}

// What a line could not be written with is in the next one.
func TestWriter_fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeries()
		out := &faulty{fault: errors.New("disk full")}
		w := emf.New(out, s, "f")
		s.requests.WithLabelValues("200").Inc()
		if err := w.Write(); err == nil || !strings.Contains(err.Error(), "write metrics: disk full") {
			t.Errorf("error %v", err)
		}
		out.fault = nil
		time.Sleep(time.Second)
		if err := w.Write(); err != nil || read(t, out.Bytes())["Requests"] != 1 {
			t.Errorf("%s, %v", &out.Buffer, err)
		}
	})
}

// Metrics that cannot be gathered are an error, and no line.
func TestWriter_gatherer(t *testing.T) {
	var out bytes.Buffer
	w := emf.New(&out, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("broken") }), "f")
	if err := w.Write(); err == nil || !strings.Contains(err.Error(), "gather metrics: broken") || out.Len() > 0 {
		t.Errorf("%v, wrote %s", err, &out)
	}
}

// Every metric is one that the function or its sinks have.
func TestMetrics_exist(t *testing.T) {
	sinktest.New(t)
	environment := settings.Environment{Sinks: google.Sinks(), Getenv: func(name string) string {
		return map[string]string{"SINKS": sinktest.ArchiveSink}[name]
	}}
	r := function.New(environment, slog.New(slog.DiscardHandler))
	defer r.Close()
	registry := prometheus.NewRegistry()
	lambda.New(r, lambda.Options{Metrics: registry})
	body := `{"msg":"delete","key":["n",null,"000000000000000000000000000=",null],"gen":2,"lut":1795350896789}`
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	if r.ServeHTTP(answer, req); answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	var out bytes.Buffer
	w := emf.New(&out, prometheus.Gatherers{r.Gatherer(), registry}, "f")
	if err := w.Write(); err != nil {
		t.Fatal(err)
	}
	families, err := prometheus.Gatherers{r.Gatherer(), registry}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range emf.Metrics() {
		if !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == m.Family }) {
			t.Errorf("%s is made of %s, which does not exist", m.Name, m.Family)
		}
	}
	values := read(t, out.Bytes())
	for name, want := range map[string]float64{"Requests": 1, "BodyBytes": float64(len(body)), "ChangesStored": 1, "ObjectsWritten": 1, "Ready": 1} {
		if values[name] != want {
			t.Errorf("%s: %v, want %v", name, values[name], want)
		}
	}
}

// AWS.md's table of metrics is that of the code.
func TestMetrics_page(t *testing.T) {
	text, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, m := range emf.Metrics() {
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", m.Name, m.Unit, m.Meaning)
	}
	if !strings.Contains(string(text), "|---|---|---|\n"+rows.String()+"\n") {
		t.Errorf("AWS.md lacks\n%s", &rows)
	}
}
