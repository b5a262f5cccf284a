package kinesis_test

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/kinesis"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// parse parses the URL of a stream.
func parse(t testing.TB, url string, o sink.Options) sink.Spec {
	t.Helper()
	return sinktest.Parse(t, kinesis.Parse, url, o)
}

// open opens the sink at a URL, and closes it when the test ends.
func open(t testing.TB, url string, o sink.Options) sink.Sink {
	t.Helper()
	return sinktest.Open(t, parse(t, url, o))
}

// outcome returns a character for each change: + stored, - to be retried, x refused for good.
func outcome(b sink.Batch, verdicts sink.Verdicts) string {
	if verdicts == nil {
		return strings.Repeat("+", len(b.Changes))
	}
	var s strings.Builder
	for _, err := range verdicts {
		switch {
		case err == nil:
			s.WriteByte('+')
		case change.IsPermanent(err):
			s.WriteByte('x')
		default:
			s.WriteByte('-')
		}
	}
	return s.String()
}
