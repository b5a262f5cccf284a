package replay_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/function/sink"
)

// received is when the dead letters of these tests were stored.
var received = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)

// letter returns a dead letter as the function writes it.
func letter(mediaType string, data []byte) []byte {
	l := sink.DeadLetter{MediaType: mediaType, Reason: "it was refused", Offset: 7, Request: "r", Received: received}
	return l.AppendLine(nil, &format.Parsed{Data: data})
}

func appended(t *testing.T, f format.Format, c change.Change) []byte {
	t.Helper()
	b, err := f.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Dead letters in every format, of the function and the connector, mixed with changes, are
// replayed as the changes that they hold.
func TestDeadLetters(t *testing.T) {
	changes := orders(8)
	changes[5].Expiry = received.Add(time.Hour).Unix()
	message, err := raw.Format{}.Append(nil, &changes[4])
	if err != nil {
		t.Fatal(err)
	}
	connectors := fmt.Appendf(nil, `{"time":"2026-11-23T01:02:03Z","reason":"x","offset":8,"message":%q}`+"\n", base64.StdEncoding.EncodeToString(message))
	var text []byte
	for _, l := range [][]byte{
		appended(t, json.Format{}, changes[0]),
		letter(format.MediaJSON, appended(t, json.Flat{MetadataKey: "metadata"}, changes[1])),
		letter(format.MediaNDJSON, lines(t, changes[2:4])), // the body of a request
		connectors,
		letter(format.MediaMessagePack, appended(t, msgpack.Format{}, changes[5])),
		appended(t, json.Flat{MetadataKey: "metadata"}, changes[6]),
	} {
		text = append(text, l...)
	}
	var m memory
	o, out := options(store(t, map[string][]byte{"dead-letters-2026-11-23.ndjson": text}), m.spec())
	if s := run(t, o); s.Changes != 7 {
		t.Errorf("%s", s)
	}
	var want []string
	for i, c := range changes[:7] {
		if i == 4 { // only XDR has the mode
			c.Mode = change.Update
		}
		want = append(want, string(changetest.Describe(&c)))
	}
	if diff := cmp.Diff(want, m.got); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, out.String())
	}
}

// A row that JSON cannot express becomes the same bytes in each replay, though it expires.
func TestRows_withoutJSON(t *testing.T) {
	var p change.Packer
	p.Open(change.KindMap, change.Unordered)
	p.Open(change.KindList, change.Unordered)
	p.Close()
	p.Add(change.BoolValue(true))
	p.Close()
	m, err := p.Value(change.KindMap)
	if err != nil {
		t.Fatal(err)
	}
	c := orders(1)[0]
	c.Expiry = time.Now().Add(time.Hour).Unix()
	c.Bins = []change.Bin{{Name: "m", Value: m}}
	var got format.Parsed
	s := memory{verdict: func(p *format.Parsed) error {
		got = *p
		return nil
	}}
	o, _ := options(store(t, map[string][]byte{"a.avro": archives[".avro"](t, []change.Change{c})}), s.spec())
	run(t, o)
	if want := appended(t, msgpack.Format{}, c); got.Format != "message-pack" || !bytes.Equal(got.Data, want) {
		t.Errorf("%s % x, want % x", got.Format, got.Data, want)
	}
}

// The seconds to the expiry of a record count from when the dead letter was stored.
func TestDeadLetters_expiry(t *testing.T) {
	c := orders(1)[0]
	c.Expiry = time.Now().Add(time.Hour).Unix()
	var m memory
	text := letter(format.MediaOctets, appended(t, raw.Format{}, c))
	o, _ := options(store(t, map[string][]byte{"a.ndjson": text}), m.spec())
	run(t, o)
	got, err := changetest.Parse([]byte(m.got[0]))
	if err != nil {
		t.Fatal(err)
	}
	if want := received.Add(time.Hour).Unix(); got.Expiry < want-60 || got.Expiry > want {
		t.Errorf("expires at %d, want %d or a little before", got.Expiry, want)
	}
}

// A change whose bins have the names of a dead letter's members is a change.
func TestDeadLetters_similarChange(t *testing.T) {
	for _, text := range []string{
		`{"time":"x","reason":"y","message":"eA==","metadata":{"namespace":"n","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","msg":"write","exp":0}}`,
		`{"time":"x","reason":"y","message":"eA==","msg":"write","key":["n",null,"AAAAAAAAAAAAAAAAAAAAAAAAAAA=",null],"exp":0,"bins":[]}`,
	} {
		var m memory
		o, _ := options(store(t, map[string][]byte{"a.ndjson": []byte(text)}), m.spec())
		if s := run(t, o); s.Changes != 1 || !strings.Contains(m.got[0], `"namespace": "n"`) {
			t.Errorf("%s: %s, %s", text, s, m.got)
		}
	}
}

// A dead letter without bytes is reported with its record, and counted by itself. The filter
// applies to it, and the replay continues.
func TestDeadLetters_withoutBytes(t *testing.T) {
	digest := change.Digest{1, 2, 3}
	large := func(namespace string) []byte {
		l := deadletter.Letter{Time: received, Reason: "over the limit", Namespace: namespace, Set: "orders", Digest: digest[:], Size: 9_000_000}
		return l.AppendLine(nil)
	}
	good := orders(1)
	text := bytes.Join([][]byte{large("shop"), large("other"), lines(t, good)}, nil)
	var m memory
	o, out := options(store(t, map[string][]byte{"a.ndjson": text}), m.spec())
	o.Filter.Namespaces = []string{good[0].Namespace}
	s, err := runOnce(t, o)
	if err != nil || s.NoBytes != 1 || s.LeftOut != 1 || s.Changes != 1 || s.Unreadable != 0 {
		t.Errorf("%s; error %v", s, err)
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "incomplete: 1 dead letter without bytes") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"a.ndjson:1: dead letter without bytes: a message of 9000000 bytes", `namespace "shop", set "orders", digest ` + digest.String()} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	if diff := cmp.Diff(describe(good), m.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Dead letters that still cannot be parsed are reported with their lines, and the replay
// continues.
func TestDeadLetters_unreadable(t *testing.T) {
	good := orders(1)
	text := letter(format.MediaAvro, []byte{1, 2, 3})
	text = append(text, letter("text/plain", []byte("secret"))...)
	text = append(text, letter(format.MediaJSON, []byte("{"))...)
	text = append(text, `{"time":"2026-11-23T01:02:03Z","reason":"x","message":7}`+"\n"...)
	text = append(text, `{"time":"cut o`+"\n"...)
	text = append(text, letter(format.MediaJSON, []byte("[]"))...)
	text = append(text, lines(t, good)...)
	var m memory
	o, out := options(store(t, map[string][]byte{"a.ndjson": text}), m.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Unreadable != 6 || s.Err() == nil {
		t.Errorf("%s; errors %v, %v", s, err, s.Err())
	}
	for i := range 6 {
		if want := fmt.Sprintf("a.ndjson:%d: not a change: ", i+1); !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the output holds data:\n%s", out.String())
	}
	if diff := cmp.Diff(describe(good), m.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
