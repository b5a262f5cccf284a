package pubsub_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// model is the order of one lane as the package comment describes it: changes of a
// record that failed come first when they come again.
type model struct {
	pending   map[string][]string // names of failed changes, by record
	published []string
}

// put returns the outcome of a Put. fails is whether the server fails its request.
func (m *model) put(names []string, fails bool) string {
	var text strings.Builder
	heldBack := map[string]bool{}
	var sent []string
	sentOf := map[string][]string{}
	for _, name := range names {
		record, _, _ := strings.Cut(name, ".")
		pending := m.pending[record]
		switch {
		case heldBack[record] || len(pending) > 0 && pending[0] != name:
			heldBack[record] = true
			if len(pending) > 0 && !slices.Contains(pending, name) {
				m.pending[record] = append(pending, name)
			}
			text.WriteByte('-')
			continue
		case len(pending) > 0:
			m.pending[record] = pending[1:]
		}
		sent = append(sent, name)
		sentOf[record] = append(sentOf[record], name)
		text.WriteByte(map[bool]byte{false: '+', true: '-'}[fails])
	}
	if !fails {
		m.published = append(m.published, sent...)
		return text.String()
	}
	for record, names := range sentOf {
		m.pending[record] = append(names, m.pending[record]...)
	}
	return text.String()
}

// One lane behaves like the model.
func TestPut_orderMatchesModel(t *testing.T) {
	var fails atomic.Bool
	cloud := newServer(t, func(ctx context.Context, r *pubsubpb.PublishRequest) error {
		if fails.Load() {
			return forbidden(ctx, r)
		}
		return nil
	})
	s := open(t, sinktest.PubSubSink+"?ordering=1&pause=1m", sink.Options{})
	m, checks := model{pending: map[string][]string{}}, 0
	rapid.Check(t, func(rt *rapid.T) {
		checks++ // each has records of its own
		for range rapid.IntRange(1, 12).Draw(rt, "puts") {
			var b sink.Batch
			var names []string
			for range rapid.IntRange(1, 5).Draw(rt, "changes") {
				p := version(checks*3+rapid.IntRange(0, 2).Draw(rt, "record"), rapid.IntRange(1, 4).Draw(rt, "version"))
				b.Changes, names = append(b.Changes, p), append(names, string(p.Data))
			}
			fails.Store(rapid.Bool().Draw(rt, "fails"))
			want := m.put(names, fails.Load())
			if got := outcome(b, s.Put(t.Context(), b)); got != want {
				rt.Fatalf("%v: %s, want %s", names, got, want)
			}
		}
		if diff := cmp.Diff(strings.Join(m.published, " "), cloud.data()); diff != "" {
			rt.Fatalf("published (-want +got):\n%s", diff)
		}
	})
}
