package pubsub_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A message decoded by Google's own code is the change, whatever it holds.
func TestPut_messagesDecodeToChanges(t *testing.T) {
	cloud := newServer(t, nil)
	s := open(t, sinktest.PubSubSink+"?ordering=16", sink.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		b := sink.Batch{TraceParent: rapid.SampledFrom([]string{"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}).Draw(rt, "trace")}
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			p := format.Parsed{Change: changetest.Arbitrary{}.Change(rt), Format: "xdr"}
			p.Change.Namespace = string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "namespace"))
			p.Data = rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "data")
			b.Changes = append(b.Changes, p)
		}
		cloud.mu.Lock()
		cloud.accepted = nil
		cloud.mu.Unlock()
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			rt.Fatal(verdicts)
		}
		left := len(b.Changes)
		for _, m := range cloud.accepted {
			for i := range b.Changes {
				p := &b.Changes[i]
				if bytes.Equal(m.GetData(), p.Data) && m.GetAttributes()["digest"] == p.Change.Digest.String() &&
					m.GetAttributes()["namespace"] == valid(p.Change.Namespace) && m.GetAttributes()["set"] == valid(p.Change.Set) &&
					m.GetAttributes()["traceparent"] == b.TraceParent && m.GetOrderingKey() == fmt.Sprint(p.Change.Digest.Partition()%16) {
					left--
					break
				}
			}
		}
		if left != 0 || len(cloud.accepted) != len(b.Changes) {
			rt.Fatalf("%d messages for %d changes, %d not found", len(cloud.accepted), len(b.Changes), left)
		}
	})
}

// valid returns the published value of an attribute.
func valid(value string) string {
	if !utf8.ValidString(value) {
		return ""
	}
	return value
}

// A set name that is not UTF-8, or too long, is left out; the changes are published.
func TestPut_invalidAttributes(t *testing.T) {
	for _, set := range []string{"a\xff", strings.Repeat("x", 1025)} {
		cloud := sinktest.New(t)
		b := sinktest.Batch("s", 2)
		b.Changes[1].Change.Set = set
		if verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
		for i, m := range cloud.Messages() {
			if got, has := m.Attributes["set"]; has != (i == 0) || has && got != "s" {
				t.Errorf("message %d: set %q", i, got)
			}
		}
	}
}

func TestPut_deadLetters(t *testing.T) {
	cloud := sinktest.New(t)
	received := time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC)
	b := sink.Batch{
		Changes: []format.Parsed{
			{Data: []byte("{"), Err: change.Permanent(fmt.Errorf("not an object"))},
			sinktest.One("orders", 5),
			{Err: change.Permanent(fmt.Errorf("over the limit")), Change: change.Change{Namespace: "shop", Digest: change.Digest{5}}},
		},
		DeadLetters: []sink.DeadLetter{
			{MediaType: "application/json", Reason: "not an object " + strings.Repeat("é", 600), Offset: 7, Request: "r\xff", Received: received},
			{MediaType: "application/json", Reason: "no space", Request: "r1", Received: received},
			{MediaType: "application/octet-stream", Reason: "over the limit", Offset: sink.UnknownOffset, Size: 9_000_000, Received: received},
		},
	}
	s := open(t, sinktest.PubSubSink+"?mode=packed", sink.Options{}) // dead letters are never packed
	if verdicts := s.Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts)
	}
	want := []map[string]string{
		{"reason": "not an object " + strings.Repeat("é", 505), "offset": "7", "mediaType": "application/json", "received": "2026-11-22T01:02:03.000004Z"},
		{
			"reason": "no space", "offset": "0", "mediaType": "application/json", "request": "r1", "received": "2026-11-22T01:02:03.000004Z",
			"format": "json", "namespace": "shop", "set": "orders", "op": "write", "digest": b.Changes[1].Change.Digest.String(),
			"partition": "5", "generation": "1", "lut": "1795350896794", "expiry": "0",
		},
		{
			"reason": "over the limit", "size": "9000000", "mediaType": "application/octet-stream", "received": "2026-11-22T01:02:03.000004Z",
			"namespace": "shop", "digest": change.Digest{5}.String(), "partition": "5",
		},
	}
	if n := len(cloud.Messages()); n != len(want) {
		t.Errorf("%d messages, want %d", n, len(want))
	}
	for i, m := range cloud.Messages() {
		if diff := cmp.Diff(want[i], m.Attributes); diff != "" || !bytes.Equal(m.Data, b.Changes[i].Data) {
			t.Errorf("dead letter %d: %s, attributes (-want +got):\n%s", i, m.Data, diff)
		}
	}
}

// Changes are re-encoded in the format that the URL names. A change that the format
// cannot express is refused for good, and no other.
func TestPut_reencodedData(t *testing.T) {
	c := change.Change{Namespace: "shop", Set: "orders", Digest: change.Digest{1}, Generation: 2, LUT: 1735689600123, Expiry: 0}
	c.Bins = []change.Bin{{Name: "i", Value: change.IntegerValue(1)}}
	avro, err := avro.New(`{"type":"map","values":["null","long","string",{"type":"map","values":["null","long","string"]}]}`, "metadata", true)
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := change.MapValue([]byte{0x81, 0x90, 0x01}) // its key is a list
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"json", "flat-json", "message-pack", "xdr", "avro"} {
		t.Run(name, func(t *testing.T) {
			cloud := sinktest.New(t)
			spec := parse(t, sinktest.PubSubSink+"?data="+name, sink.Options{Avro: avro, MetadataKey: "metadata"})
			if !spec.Bins {
				t.Error("Bins is false, want true")
			}
			b := sink.Batch{Changes: []format.Parsed{{Change: c, Data: []byte("as it came"), Format: "other"}, {Change: c, Data: []byte("as it came"), Format: "other"}}}
			b.Changes[1].Change.Bins = []change.Bin{{Name: "i", Value: unnamed}}
			got := outcome(b, sinktest.Open(t, spec).Put(t.Context(), b))
			if text := name == "json" || name == "flat-json" || name == "avro"; text && got != "+x" {
				t.Errorf("%s, want the second refused", got)
			}
			m := cloud.Messages()[0]
			parsed, err := formats.Parser{MetadataKey: "metadata", Bins: true, Avro: avro}.Parse(formats.MediaTypeOf(name), m.Data)
			if err != nil || len(parsed) != 1 || parsed[0].Err != nil || parsed[0].Change.Digest != c.Digest || m.Attributes["format"] != name {
				t.Errorf("%q with %v is read as %+v, %v", m.Data, m.Attributes, parsed, err)
			}
		})
	}
}

// Without a schema from the user, Avro data are rows.
func TestPut_avroWithoutSchemaIsRows(t *testing.T) {
	cloud := newServer(t, nil)
	b := sinktest.Batch("s", 1)
	b.Changes[0].Format = "avro" // by whatever schema
	if verdicts := open(t, sinktest.PubSubSink+"?data=avro", sink.Options{}).Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts)
	}
	r, err := row.Of(&b.Changes[0])
	if err != nil {
		t.Fatal(err)
	}
	if m := cloud.accepted[0]; !bytes.Equal(m.GetData(), row.AppendAvro(nil, &r)) || m.GetAttributes()["format"] != "avro" {
		t.Errorf("published %v", m)
	}
}

// For BigQuery each change becomes a row, whatever its format. A change that cannot be a
// row is refused for good, and no other.
func TestPut_bigQueryRows(t *testing.T) {
	cloud := sinktest.New(t)
	spec := parse(t, sinktest.PubSubSink+"?data=bigquery", sink.Options{})
	if !spec.Bins {
		t.Error("Bins is false, want true")
	}
	b := sinktest.Batch("s", 3)
	for i := range b.Changes {
		b.Changes[i].Change.Bins = []change.Bin{{Name: "i", Value: change.IntegerValue(int64(i))}}
	}
	b.Changes[1].Change.Mode = change.Update
	if got := outcome(b, sinktest.Open(t, spec).Put(t.Context(), b)); got != "+x+" {
		t.Errorf("%s, want the second refused", got)
	}
	for i, m := range cloud.Messages() {
		p := &b.Changes[2*i]
		want, err := row.AppendBigQuery(nil, &p.Change)
		if err != nil || string(m.Data) != string(want) || m.Attributes["format"] != "bigquery" || m.OrderingKey != "" {
			t.Errorf("%s with %v, want %s, error %v", m.Data, m.Attributes, want, err)
		}
	}
}

// A message as large as a request may be is published; one byte more is refused.
func TestPut_largestMessage(t *testing.T) {
	newServer(t, nil)
	s := open(t, sinktest.PubSubSink, sink.Options{})
	size := func(data int) sink.Batch {
		b := sinktest.Batch("s", 1)
		b.Changes[0].Data = make([]byte, data)
		return b
	}
	least, most := 9_000_000, 10_000_000 // the first is published, the last is not
	for most-least > 1 {
		middle := (least + most) / 2
		if verdicts := s.Put(t.Context(), size(middle)); verdicts == nil {
			least = middle
		} else {
			most = middle
		}
	}
	if frame := 10_000_000 - least; frame < 100 || frame > 400 {
		t.Errorf("the largest data has %d bytes", least)
	}
	if got := outcome(size(most), s.Put(t.Context(), size(most))); got != "x" {
		t.Errorf("%d bytes: %s", most, got)
	}
}
