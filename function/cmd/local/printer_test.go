package main

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format/formats"

	"github.com/aerosink/aerosink/function/pipeline"
)

// message returns a change as a message in a format.
func message(t *testing.T, formatName string, c change.Change) *pubsubpb.PubsubMessage {
	t.Helper()
	f, err := formats.ByName(formatName, pipeline.MetadataKey)
	if err != nil {
		t.Fatal(err)
	}
	record, err := f.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := f.Seal(record, 1)
	attributes := pipeline.ExpectedAttributes(&c)
	attributes["format"] = formatName
	return &pubsubpb.PubsubMessage{MessageId: "m1", Data: bytes.TrimSuffix(data, []byte("\n")), Attributes: attributes, OrderingKey: "95"}
}

func joe(op change.Op) change.Change {
	c := change.Change{Op: op, Namespace: "shop", Set: "customers", Key: change.StringValue([]byte("k1")), Generation: 3, LUT: 1796072400123}
	if op == change.Write {
		c.Bins = []change.Bin{{Name: "name", Value: change.StringValue([]byte("Joe Doe"))}, {Name: "age", Value: change.IntegerValue(27)}, {Name: "zip", Value: change.StringValue([]byte("08001"))}}
	}
	return c
}

// A change is one line, whatever its format.
func TestPrinter_line(t *testing.T) {
	const digest = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
	packed := &pubsubpb.PubsubMessage{Data: []byte("x"), Attributes: map[string]string{"format": "ndjson", "changes": "12", "namespace": "shop"}}
	bigQuery := &pubsubpb.PubsubMessage{Data: []byte(`{"a":1}`), Attributes: map[string]string{"format": "bigquery", "op": "write", "namespace": "shop", "digest": digest}}
	withoutLUT := message(t, "json", change.Change{Op: change.Delete, Namespace: "shop"})
	for _, tt := range []struct {
		message *pubsubpb.PubsubMessage
		want    string
	}{
		{message(t, "json", joe(change.Write)), `   1  21:00:00.123  write   shop.customers  k1  generation 3  name="Joe Doe" age=27 zip=08001` + "\n"},
		{message(t, "flat-json", joe(change.Write)), `   1  21:00:00.123  write   shop.customers  k1  generation 3  name="Joe Doe" age=27 zip=08001` + "\n"},
		{message(t, "message-pack", joe(change.Write)), `   1  21:00:00.123  write   shop.customers  k1  generation 3  name="Joe Doe" age=27 zip=08001` + "\n"},
		{message(t, "xdr", joe(change.Write)), `   1  21:00:00.123  write   shop.customers  k1  generation 3  name="Joe Doe" age=27 zip=08001` + "\n"},
		{message(t, "json", joe(change.DurableDelete)), "   1  21:00:00.123  durable-delete  shop.customers  k1  generation 3\n"},
		{withoutLUT, "   1    delete  shop  " + digest + "  generation 0\n"},
		{packed, "   1    12 changes  shop    1 bytes of ndjson\n"},
		{bigQuery, "   1    write   shop  " + digest + "  7 bytes of bigquery\n"},
	} {
		var out bytes.Buffer
		p := newPrinter(pipeline.FormLine, cli.Streams{Stdout: &out, Stderr: &out})
		p.message(tt.message)
		if p.Err != nil || out.String() != tt.want {
			t.Errorf("%q, error %v, want %q", out.String(), p.Err, tt.want)
		}
	}
}

// What a terminal gets has color, and is wrapped below the column of the values.
func TestPrinter_text(t *testing.T) {
	m := message(t, "json", joe(change.Write))
	for _, tt := range []struct {
		name   string
		screen cli.Screen
		want   []string
		lines  int
	}{
		{"plain", cli.Screen{}, []string{"   1  write           shop.customers  2026-11-30 21:00:00.123 UTC\n", "      data            {\"msg\":\"write\",\"key\":[\"shop\","}, 5},
		{"color", cli.Screen{Color: true, Columns: 1000}, []string{"   1  \x1b[32mwrite\x1b[0m           \x1b[1mshop.customers\x1b[0m  2026", "\x1b[2mdigest=\x1b[0mAAAA"}, 5},
		{"narrow", cli.Screen{Columns: 60}, []string{"\n                      lut=1796072400123 namespace=shop\n", ",\n                      \"bins\":[{\"name\":\"name\",\"type\":\"str\",\n", "\"value\":\"Joe Doe\"},{\"name\":\"age\",\n"}, 17},
	} {
		var out bytes.Buffer
		p := newPrinter(pipeline.FormText, cli.Streams{Stdout: &out, Stderr: &out})
		p.Screen = tt.screen
		p.message(m)
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, out.String())
			}
		}
		if n := strings.Count(out.String(), "\n"); n != tt.lines {
			t.Errorf("%s: %d lines, want %d:\n%s", tt.name, n, tt.lines, out.String())
		}
	}
}

// Bytes that are not text are shown as digits, since they could change a terminal's state.
func TestPrinter_binaryData(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(pipeline.FormText, cli.Streams{Stdout: &out, Stderr: &out})
	m := message(t, "json", joe(change.Write))
	m.Data, m.Attributes["format"] = append([]byte("\x1b[2J"), make([]byte, 40)...), "xdr"
	p.message(m)
	want := "      data            44 bytes of xdr: 1b 5b 32 4a" + strings.Repeat(" 00", 28) + " …\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

// With -o json standard output has the changes, one object a line, and nothing else.
func TestPrinter_json(t *testing.T) {
	var changes, notes bytes.Buffer
	p := newPrinter(pipeline.FormJSON, cli.Streams{Stdout: &changes, Stderr: &notes})
	p.message(message(t, "json", joe(change.Write)))
	p.message(message(t, "message-pack", joe(change.Delete)))
	p.notice(notice("2"))
	p.Missed(3)
	type object struct {
		ID, OrderingKey string
		Attributes      map[string]string
		Data            struct{ Key []any }
		Bytes           []byte
	}
	var got []object
	for line := range strings.Lines(changes.String()) {
		var o object
		if err := stdjson.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, o)
	}
	if len(got) != 2 || got[0].Data.Key[3] != "k1" || got[0].Bytes != nil || got[0].OrderingKey != "95" || got[1].Bytes == nil || got[1].Attributes["op"] != "delete" {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"  object  gs://archive/changes/a.ndjson  2 changes, 180 bytes\n", "3 messages came faster than they can be shown"} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("no %q in\n%s", want, notes.String())
		}
	}
}

func notice(changes string) *pubsubpb.PubsubMessage {
	return &pubsubpb.PubsubMessage{
		Data:       []byte(`{"size":"180","metadata":{"changes":"` + changes + `"}}`),
		Attributes: map[string]string{"bucketId": "archive", "objectId": "changes/a.ndjson"},
	}
}

// Objects that somebody else writes may have no counts.
func TestPrinter_foreignObject(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(pipeline.FormLine, cli.Streams{Stdout: &out})
	p.notice(notice("x"))
	m := notice("1")
	m.Data = []byte("{")
	p.notice(m)
	if want := "  object  gs://archive/changes/a.ndjson  some changes, 180 bytes\n  object  gs://archive/changes/a.ndjson\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// failing is a writer that always fails, the first time with the error first.
type failing struct{ err error }

func (f *failing) Write([]byte) (int, error) {
	err := f.err
	f.err = errors.New("second")
	return 0, err
}

func TestPrinter_firstError(t *testing.T) {
	first := errors.New("first")
	for _, form := range []string{pipeline.FormText, pipeline.FormLine, pipeline.FormJSON} {
		p := newPrinter(form, cli.Streams{Stdout: &failing{first}, Stderr: &failing{first}})
		p.message(message(t, "json", joe(change.Write)))
		p.message(message(t, "json", joe(change.Write)))
		p.Printf("note")
		if !errors.Is(p.Err, first) {
			t.Errorf("%s: %v", form, p.Err)
		}
	}
}
