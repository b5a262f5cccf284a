package pubsub_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// inflate returns the data of a packed message.
func inflate(t *testing.T, m *pubsubpb.PubsubMessage) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(m.GetData())
	switch m.GetAttributes()["encoding"] {
	case "zstd":
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A packed message holds a batch, or a lane's part of it, as lines.
func TestPut_packed(t *testing.T) {
	for _, compression := range []string{"zstd", "gzip", "none"} {
		for _, ordering := range []int{0, 2} {
			cloud := newServer(t, nil)
			s := open(t, sinktest.PubSubSink+"?mode=packed&compression="+compression+"&ordering="+strconv.Itoa(ordering), sink.Options{})
			b := sinktest.Batch("orders", 6)
			b.Changes[4].Change.Set = "others"
			b.TraceParent = "00-trace-01"
			if verdicts := s.Put(t.Context(), b); verdicts != nil {
				t.Fatal(verdicts)
			}
			want := map[string]map[string]string{
				"{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n{\"i\":4}\n{\"i\":5}\n": {"changes": "6", "lut-min": "1795350896789", "lut-max": "1795350896794"},
			}
			if ordering == 2 {
				want = map[string]map[string]string{
					"{\"i\":0}\n{\"i\":2}\n{\"i\":4}\n": {"changes": "3", "lut-min": "1795350896789", "lut-max": "1795350896793"},
					"{\"i\":1}\n{\"i\":3}\n{\"i\":5}\n": {"changes": "3", "lut-min": "1795350896790", "lut-max": "1795350896794", "set": "orders"},
				}
			}
			got := map[string]map[string]string{}
			for _, m := range cloud.accepted {
				got[inflate(t, m)] = m.GetAttributes()
				if (m.GetOrderingKey() != "") != (ordering > 0) {
					t.Errorf("ordering key %q", m.GetOrderingKey())
				}
			}
			for _, attributes := range want {
				attributes["format"], attributes["namespace"], attributes["traceparent"] = "ndjson", "shop", "00-trace-01"
				if compression != "none" {
					attributes["encoding"] = compression
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, ordering=%d (-want +got):\n%s", compression, ordering, diff)
			}
		}
	}
}

// With packed=avro the message is a container file of rows.
func TestPut_packedAvro(t *testing.T) {
	for _, compression := range []string{"zstd", "gzip", "none"} {
		cloud := newServer(t, nil)
		spec := parse(t, sinktest.PubSubSink+"?mode=packed&packed=avro&compression="+compression, sink.Options{})
		if !spec.Bins {
			t.Error("Bins is false, want true")
		}
		b := sinktest.Batch("orders", 3)
		if verdicts := sinktest.Open(t, spec).Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
		m := cloud.accepted[0]
		n := 0
		for c, err := range row.ReadAvro(bytes.NewReader(m.GetData())) {
			if err != nil || c.Digest != b.Changes[n].Change.Digest {
				t.Fatalf("%s: row %d: %v", compression, n, err)
			}
			n++
		}
		want := map[string]string{"format": "avro", "changes": "3", "namespace": "shop", "set": "orders", "lut-min": "1795350896789", "lut-max": "1795350896791"}
		if diff := cmp.Diff(want, m.GetAttributes()); diff != "" || n != 3 {
			t.Errorf("%s: %d rows, attributes (-want +got):\n%s", compression, n, diff)
		}
	}
}

// A message that does not fit into a request is halved. A change that does not fit alone,
// or that JSON cannot express, is refused for good, and no other.
func TestPut_packedMessageTooLarge(t *testing.T) {
	cloud := newServer(t, nil)
	s := open(t, sinktest.PubSubSink+"?mode=packed&compression=none", sink.Options{})
	b := sinktest.Batch("s", 8)
	for i := range b.Changes {
		b.Changes[i].Data = []byte(`"` + strings.Repeat("x", 3_000_000) + `"`)
	}
	b.Changes[2].Data = []byte(`"` + strings.Repeat("x", 10_000_000) + `"`)
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01})
	if err != nil {
		t.Fatal(err)
	}
	b.Changes[5] = format.Parsed{Change: change.Change{Namespace: "shop", Bins: []change.Bin{{Name: "b", Value: list}}}, Format: "xdr"}
	if got := outcome(b, s.Put(t.Context(), b)); got != "++x++x++" {
		t.Errorf("%s, want the third and the sixth refused", got)
	}
	n := 0
	for _, m := range cloud.accepted {
		n += strings.Count(inflate(t, m), "\n")
	}
	if n != 6 {
		t.Errorf("%d lines, want 6", n)
	}
}

// The refusal of a packed message is blamed on the topic, never on the data, so all its
// changes are to be retried.
func TestPut_packedMessageRefused(t *testing.T) {
	newServer(t, refusing(""))
	b := sinktest.Batch("s", 3)
	if got := outcome(b, open(t, sinktest.PubSubSink+"?mode=packed", sink.Options{}).Put(t.Context(), b)); got != "---" {
		t.Errorf("%s, want all to be retried", got)
	}
}

// Packed messages keep the order of a record as well.
func TestPut_packedOrder(t *testing.T) {
	cloud := newServer(t, forbidden)
	s := open(t, sinktest.PubSubSink+"?mode=packed&compression=none&ordering=1&pause=1m", sink.Options{})
	first := versions(version(1, 1), version(2, 1), version(1, 2))
	if got := outcome(first, s.Put(t.Context(), first)); got != "---" {
		t.Errorf("%s, want all failed", got)
	}
	cloud.setFault(nil)
	later := versions(version(3, 1), version(1, 3))
	if got := outcome(later, s.Put(t.Context(), later)); got != "--" {
		t.Errorf("%s, want both held back: one is of a record with a pending retry", got)
	}
	for _, b := range []sink.Batch{first, later} {
		if got := outcome(b, s.Put(t.Context(), b)); strings.Contains(got, "-") {
			t.Errorf("again: %s", got)
		}
	}
}

// Data that does not compress is published as well.
func TestPut_packedIncompressible(t *testing.T) {
	cloud := newServer(t, nil)
	s := open(t, sinktest.PubSubSink+"?mode=packed", sink.Options{})
	b := sinktest.Batch("s", 40)
	noise := rand.NewChaCha8([32]byte{})
	for i := range b.Changes {
		data := make([]byte, 300_000)
		_, _ = noise.Read(data) // never fails
		b.Changes[i].Data = bytes.ReplaceAll(data, []byte("\n"), nil)
	}
	if verdicts := s.Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts[0])
	}
	if n := len(cloud.accepted); n != 2 {
		t.Errorf("%d messages, want two halves", n)
	}
}
