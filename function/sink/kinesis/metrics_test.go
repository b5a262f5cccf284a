package kinesis_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestMetrics(t *testing.T) {
	cloud := awstest.Start(t)
	r := prometheus.NewRegistry()
	s := open(t, awstest.StreamSink+"?max-messages=5", sink.Options{Metrics: r})
	cloud.Kinesis.Fail(once(failEntries("InternalFailure", 0)))
	if got := outcome(sinktest.Batch("s", 6), s.Put(t.Context(), sinktest.Batch("s", 6))); got != "+++++-" {
		t.Fatalf("%s, want the last refused", got)
	}
	cloud.Kinesis.Fail(failing("PutRecords", "AccessDeniedException"))
	if got := outcome(sinktest.Batch("s", 1), s.Put(t.Context(), sinktest.Batch("s", 1))); got != "-" {
		t.Fatalf("%s, want a retry", got)
	}
	const want = `
# HELP aerosink_kinesis_messages_total Records by verdict: sent, refused for good, to be retried, or refused because of overload.
# TYPE aerosink_kinesis_messages_total counter
aerosink_kinesis_messages_total{sink="SINK",verdict="overloaded"} 1
aerosink_kinesis_messages_total{sink="SINK",verdict="refused"} 0
aerosink_kinesis_messages_total{sink="SINK",verdict="retry"} 1
aerosink_kinesis_messages_total{sink="SINK",verdict="sent"} 5
# HELP aerosink_kinesis_owed_records Records of the database with a failed change that has not been retried yet.
# TYPE aerosink_kinesis_owed_records gauge
aerosink_kinesis_owed_records{sink="SINK"} 1
# HELP aerosink_kinesis_queued_bytes Bytes queued or in flight.
# TYPE aerosink_kinesis_queued_bytes gauge
aerosink_kinesis_queued_bytes{sink="SINK"} 0
# HELP aerosink_kinesis_queued_messages Records queued or in flight.
# TYPE aerosink_kinesis_queued_messages gauge
aerosink_kinesis_queued_messages{sink="SINK"} 0
# HELP aerosink_kinesis_requests_total Calls of PutRecords, by the code of Kinesis; partial if it has some of the records.
# TYPE aerosink_kinesis_requests_total counter
aerosink_kinesis_requests_total{code="AccessDeniedException",sink="SINK"} 1
aerosink_kinesis_requests_total{code="ok",sink="SINK"} 1
aerosink_kinesis_requests_total{code="partial",sink="SINK"} 1
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(strings.ReplaceAll(want, "SINK", awstest.StreamSink+"?max-messages=5")),
		"aerosink_kinesis_messages_total", "aerosink_kinesis_owed_records", "aerosink_kinesis_queued_bytes", "aerosink_kinesis_queued_messages", "aerosink_kinesis_requests_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r, "aerosink_kinesis_request_messages", "aerosink_kinesis_request_bytes"); err != nil || n != 2 {
		t.Errorf("%d histograms, %v", n, err)
	}
}

// Two sinks with one URL share a registry, and a sink can be opened again.
func TestMetrics_sameSinkTwice(t *testing.T) {
	awstest.Start(t)
	r := prometheus.NewRegistry()
	for range 2 {
		spec := parse(t, awstest.StreamSink, sink.Options{Metrics: r})
		first, err := spec.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := spec.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []sink.Sink{first, second} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if n, err := testutil.GatherAndCount(r); n != 0 || err != nil {
			t.Errorf("%d metrics are left, %v", n, err)
		}
	}
}
