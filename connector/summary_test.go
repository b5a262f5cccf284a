package connector

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// The middle of a bucket is at most 3.2 % away from the values in it.
func TestBucketOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0).Draw(t, "n")
		if got := middle(bucketOf(uint64(n))); math.Abs(got-float64(n)) > 0.032*float64(n) {
			t.Errorf("middle of the bucket of %d is %.0f", n, got)
		}
	})
	if last := bucketOf(math.MaxInt64); last >= 64*steps {
		t.Errorf("bucket %d is beyond the last", last)
	}
}

func TestSummary(t *testing.T) {
	s := newSummary("s", "A summary.", nil, 0.001)
	r := prometheus.NewRegistry()
	r.MustRegister(s)
	for n := range int64(1000) {
		s.observe(n + 1)
	}
	s.observe(-5)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := families[0].GetMetric()[0].GetSummary()
	if got.GetSampleCount() != 1001 || math.Abs(got.GetSampleSum()-500.5) > 1e-6 {
		t.Errorf("count %d, sum %g", got.GetSampleCount(), got.GetSampleSum())
	}
	for _, q := range got.GetQuantile() {
		if want := q.GetQuantile(); math.Abs(q.GetValue()-want) > 0.04*want {
			t.Errorf("quantile %g: %g", want, q.GetValue())
		}
	}
	s.turn()
	s.observe(7000)
	s.turn()
	if got := s.quantiles()[0.5]; math.Abs(got-7) > 0.3 {
		t.Errorf("two windows later the median is still %g", got)
	}
	s.turn()
	if got := s.quantiles()[0.5]; !math.IsNaN(got) {
		t.Errorf("the median of nothing is %g", got)
	}
}
