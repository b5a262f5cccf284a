package formats_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// The body of a request with several changes, in each format: what joins them, and
// what is around them. Every body is read back.
func TestStoriesOfBatches(t *testing.T) {
	record := newAvro(t, recordOf(`{"name":"i","type":["null","long"],"default":null},{"name":"s","type":["null","string"],"default":null}`))
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		var changes []change.Change
		for _, name := range []string{"first.json", "second.json", "third.json"} {
			c, err := changetest.Parse(s.Section(t, name))
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, c)
		}
		for section, f := range map[string]format.Format{
			"batch/json": typed, "batch/flat-json": flat, "batch/message-pack": packs, "batch/xdr": raw.Format{},
			"batch/avro-map": newAvro(t, `{"type":"map","values":`+anything(1)+`}`), "batch/avro-record": record,
		} {
			var records []byte
			for i := range changes {
				var err error
				if records, err = f.Append(records, &changes[i]); err != nil {
					t.Fatal(err)
				}
			}
			body, mediaType := f.Seal(records, len(changes))
			text := string(body)
			if mediaType != format.MediaNDJSON {
				text = hex.Dump(body)
			}
			s.Check(t, section, fmt.Appendf(nil, "Content-Type: %s\n\n%s", mediaType, text))
			parsed, err := all.Parse(mediaType, body)
			if err != nil || len(parsed) != len(changes) {
				t.Fatalf("%s: %d changes, %v", section, len(parsed), err)
			}
			for i, p := range parsed {
				if p.Err != nil || p.Change.Digest != changes[i].Digest || p.Change.Op != changes[i].Op {
					t.Errorf("%s: change %d: %+v", section, i, p)
				}
			}
		}
	}, "first.json", "second.json", "third.json")
}

// Without stringify-map-keys a map keeps the keys that are strings, and a change
// with others is refused; message pack and XDR keep them all.
func TestMapKeysThatStay(t *testing.T) {
	avro, err := avro.New(mapOfAnything, "metadata", false)
	if err != nil {
		t.Fatal(err)
	}
	const texts, number = "81a2036101", "810501"
	for _, tt := range []struct {
		format      format.Format
		text, other string // what is written, or of an error, a part of it
	}{
		{json.Format{}, `"value":{"a":1}`, "bin b: a map key is not a string; set stringify-map-keys"},
		{json.Flat{MetadataKey: "metadata"}, `"b":{"a":1}`, "bin b: a map key is not a string; set stringify-map-keys"},
		{avro, "\x02\x02a", "bin b: its map does not fit"},
		{packs, "\x81\xa1a\x01", "\x81\x05\x01"},
		{raw.Format{}, "\x81\xa2\x03a\x01", "\x81\x05\x01"},
	} {
		for digits, want := range map[string]string{texts: tt.text, number: tt.other} {
			c := bin(packed(t, change.KindMap, digits))
			got, err := tt.format.Append(nil, &c)
			if err != nil {
				got = []byte(err.Error())
			}
			if refused := err != nil; refused != strings.Contains(want, "bin b") || refused && !change.IsPermanent(err) || !strings.Contains(string(got), want) {
				t.Errorf("%s: a map of %s: %q, want %q", tt.format.Name(), digits, got, want)
			}
		}
	}
}
