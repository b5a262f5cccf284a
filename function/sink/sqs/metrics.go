package sqs

import "github.com/aerosink/aerosink/function/sink/ordered"

func newMetrics(q *queue) *ordered.Metrics {
	return ordered.NewMetrics(ordered.MetricsConfig{
		Service: "sqs", URL: q.url, Messages: "Messages",
		CallsHelp:     "Calls of SendMessageBatch, by the code of SQS.",
		BytesHelp:     "Bytes of the messages of a call, as SQS counts them.",
		MessageBounds: []float64{1, 2, 4, 6, 8, callMessages},
		ByteBounds:    []float64{1e3, 1e4, 1e5, callBytes},
	}, q.sender.Queued, q.sender.Owed)
}
