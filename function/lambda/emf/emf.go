// Package emf writes metrics for CloudWatch, which reads them from a function's log: lines in
// the embedded metric format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// What comes in is a Prometheus registry. What goes out is at most one line a second, with
// the metrics that alarms and dashboards need.
//
//  1. [Writer.Write] is called when an invocation is answered, because nothing runs between
//     invocations. It gathers the metrics if a second has passed since the last line.
//  2. Counters are written as what they have grown by since the last line, and left out if
//     they have not. The sum of a metric over any time is then what happened in it.
//  3. The line has one dimension, the name of the function.
//
// When an environment ends, what it has counted since its last line is lost: at most what was
// answered within the second after that line.
package emf

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
)

// Namespace is the namespace of the metrics in CloudWatch.
const Namespace = "Aerosink"

// interval is the least time between two lines.
const interval = time.Second

// Metric is a metric in CloudWatch.
type Metric struct {
	Name    string
	Unit    string // of CloudWatch; None is a bare number
	Meaning string

	Family string // metric of the registry, all of whose series are added up
	label  string // only series that have this label …
	value  string // … with a value that begins like this
}

// Metrics returns all metrics that a line may have.
func Metrics() []Metric {
	const function, archive = "aerosink_function_", "aerosink_archive_"
	return []Metric{
		{"Requests", "Count", "requests answered", function + "requests_total", "", ""},
		{"Requests4xx", "Count", "requests answered with a status of 400 to 499", function + "requests_total", "code", "4"},
		{"Requests5xx", "Count", "requests answered with a status of 500 to 599", function + "requests_total", "code", "5"},
		{"RequestSeconds", "Seconds", "seconds that all requests took together; divide by `Requests`", function + "request_seconds", "", ""},
		{"BodyBytes", "Bytes", "bytes of all bodies together, inflated", function + "body_bytes", "", ""},
		{"EventsRefused", "Count", "events that were no request, or that a front had broken", "aerosink_lambda_refused_events_total", "", ""},
		{"ChangesStored", "Count", "changes that are durable in all sinks", function + "changes_total", "verdict", "stored"},
		{"ChangesStale", "Count", "changes that a fence dropped", function + "changes_total", "verdict", "stale"},
		{"ChangesRetry", "Count", "changes that are to be sent again", function + "changes_total", "verdict", "retry"},
		{"ChangesRefused", "Count", "changes that can never be stored, without `DEAD_LETTERS`", function + "changes_total", "verdict", "refused"},
		{"ChangesUnfenced", "Count", "changes stored without the fence, because it failed", function + "unfenced_changes_total", "", ""},
		{"DeadLetters", "Count", "changes, or bodies that cannot be read, that became dead letters", function + "dead_letters_total", "", ""},
		{"ObjectsWritten", "Count", "objects that an archive has written", archive + "objects_total", "status", "written"},
		{"ObjectsFailed", "Count", "objects that an archive could not write", archive + "objects_total", "status", "failed"},
		{"ObjectBytes", "Bytes", "bytes of all objects together, as stored", archive + "object_bytes", "", ""},
		{"Ready", "None", "1 when the environment is right and all sinks are open, otherwise 0", function + "ready", "", ""},
	}
}

// Writer writes lines. It may be used by several goroutines at once.
type Writer struct {
	out      io.Writer
	gatherer prometheus.Gatherer
	function string

	mu   sync.Mutex
	next time.Time          // of the next line
	last map[string]float64 // what counters were in the last line, by name
}

// New returns a Writer of the metrics of a function to out.
func New(out io.Writer, gatherer prometheus.Gatherer, function string) *Writer {
	return &Writer{out: out, gatherer: gatherer, function: function, last: map[string]float64{}}
}

// Write writes a line if a second has passed since the last one. If that fails, the next line
// has what this one lacks.
func (w *Writer) Write() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Before(w.next) {
		return nil
	}
	w.next = now.Add(interval)
	totals, err := w.gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	if _, err := w.out.Write(w.line(now, totals)); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	for name, t := range totals {
		w.last[name] = t.value
	}
	return nil
}

// total is the sum of the series of a metric.
type total struct {
	value float64
	gauge bool
}

// gather returns the total of each metric that the registry has.
func (w *Writer) gather() (map[string]total, error) {
	families, err := w.gatherer.Gather()
	if err != nil {
		return nil, err
	}
	totals := map[string]total{}
	for _, m := range Metrics() {
		for _, family := range families {
			if family.GetName() != m.Family {
				continue
			}
			t := total{}
			for _, series := range family.GetMetric() {
				matches := m.label == ""
				for _, l := range series.GetLabel() {
					matches = matches || l.GetName() == m.label && strings.HasPrefix(l.GetValue(), m.value)
				}
				if matches {
					t.gauge = series.GetGauge() != nil
					t.value += series.GetCounter().GetValue() + series.GetGauge().GetValue() + series.GetHistogram().GetSampleSum()
				}
			}
			totals[m.Name] = t
		}
	}
	return totals, nil
}

// line returns a line with gauges as they are, and with what counters have grown by.
func (w *Writer) line(now time.Time, totals map[string]total) []byte {
	var definitions, values []byte
	for _, m := range Metrics() {
		t, ok := totals[m.Name]
		value := t.value
		if !t.gauge {
			value -= w.last[m.Name]
		}
		if !ok || value == 0 && !t.gauge {
			continue
		}
		if len(definitions) > 0 {
			definitions = append(definitions, ',')
		}
		definitions = fmt.Appendf(definitions, `{"Name":%q,"Unit":%q}`, m.Name, m.Unit)
		values = strconv.AppendFloat(fmt.Appendf(values, `,%q:`, m.Name), value, 'g', -1, 64)
	}
	b := fmt.Appendf(nil, `{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":%q,"Dimensions":[["FunctionName"]],"Metrics":[%s]}]},"FunctionName":`,
		now.UnixMilli(), Namespace, definitions)
	b, _ = jsontext.AppendQuote(b, w.function) // a name that is not UTF-8 has U+FFFD
	return append(append(b, values...), '}', '\n')
}
