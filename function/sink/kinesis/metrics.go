package kinesis

import (
	"slices"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

func newMetrics(k *streamSink) *ordered.Metrics {
	return ordered.NewMetrics(ordered.MetricsConfig{
		Service: "kinesis", URL: k.url, Messages: "Records",
		CallsHelp:     "Calls of PutRecords, by the code of Kinesis; partial if it has some of the records.",
		BytesHelp:     "Bytes of the body of a call, which has records as Base64.",
		MessageBounds: []float64{1, 3, 10, 30, 100, 300, maxCallRecords},
		ByteBounds:    []float64{1e3, 1e4, 1e5, 1e6, maxCallBytes * 4 / 3},
	}, k.sender.Queued, k.sender.Owed)
}

// callCode returns the value of the label code for a call that failed with err, or has results.
func callCode(err error, results []ordered.Result) string {
	if err == nil && slices.ContainsFunc(results, func(r ordered.Result) bool { return r.Status != ordered.Taken }) {
		return "partial"
	}
	return codeOf(err)
}
