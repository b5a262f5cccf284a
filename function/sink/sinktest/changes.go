package sinktest

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Hour is a time in the hour of the changes that One returns.
var Hour = time.Date(2026, 11, 22, 12, 34, 56, 789_000_000, time.UTC)

// One returns change i of a set. Its bytes are {"i":i}.
func One(set string, i int) format.Parsed {
	c := change.Change{Namespace: "shop", Set: set, Digest: change.Digest{byte(i), byte(i >> 8)}, Generation: 1, LUT: Hour.UnixMilli() + int64(i)}
	return format.Parsed{Change: c, Data: fmt.Appendf(nil, `{"i":%d}`, i), Format: "json"}
}

// Batch returns changes 0 to n-1 of a set.
func Batch(set string, n int) sink.Batch {
	var b sink.Batch
	for i := range n {
		b.Changes = append(b.Changes, One(set, i))
	}
	return b
}

// Parse parses the URL of a sink with parse, which is that of its kind. If o has no
// timeout, it is two minutes, which no test reaches on a busy machine either.
func Parse(t testing.TB, parse func(*url.URL, sink.Options) (sink.Spec, error), text string, o sink.Options) sink.Spec {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := parse(u, o)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Open opens the sink, and closes it when the test ends.
func Open(t testing.TB, spec sink.Spec) sink.Sink {
	t.Helper()
	s, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
