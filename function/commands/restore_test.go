package commands

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay"
)

// The URL of the sink says how records are restored.
func TestRestore_url(t *testing.T) {
	const until = "2026-11-01T12:00Z"
	for url, want := range map[string]struct {
		to        string
		restore   *replay.Restore
		namespace []string
	}{
		"aerospike://h/shop?mode=records":           {"aerospike://h/shop?from=shop&mode=records&versions=none", &replay.Restore{Mode: change.Replace}, []string{"shop"}},
		"aerospike://a:1,[::1]:2/x?mode=records":    {"aerospike://a:1,[::1]:2/x?from=x&mode=records&versions=none", &replay.Restore{Mode: change.Replace}, []string{"x"}},
		"aerospike://h/x?mode=records&from=y":       {"aerospike://h/x?from=y&mode=records&versions=none", &replay.Restore{Mode: change.Replace}, []string{"y"}},
		"aerospike://h/x?mode=records&versions=v":   {"aerospike://h/x?from=x&mode=records&versions=v", &replay.Restore{Mode: change.Replace, DeadLetters: true}, []string{"x"}},
		"aerospike://h/x?mode=records&write=update": {"aerospike://h/x?from=x&mode=records&versions=none&write=update", &replay.Restore{Mode: change.Update}, []string{"x"}},
		"aerospike://h/x?mode=records&ttl=never":    {"aerospike://h/x?from=x&mode=records&ttl=never&versions=none", &replay.Restore{Mode: change.Replace, OwnTTL: true}, []string{"x"}},
		"aerospike://h/x/s?mode=raw":                {"aerospike://h/x/s?mode=raw", nil, nil},
		"log:":                                      {"log:", nil, nil},
		"":                                          {"", nil, nil},
	} {
		o := replayOptions{to: url}
		if err := pastTime(&o.filter.Until, time.Now())(until); err != nil || !o.filter.Until.Equal(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is %s, error %v", until, o.filter.Until, err)
		}
		got, err := o.restoring()
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if diff := cmp.Diff(want.restore, got); diff != "" || o.to != want.to || !slices.Equal(o.filter.Namespaces, want.namespace) {
			t.Errorf("%s: %s, namespaces %q; want %s, %q (-want +got):\n%s", url, o.to, o.filter.Namespaces, want.to, want.namespace, diff)
		}
	}
}
