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

// A request body with several changes, in each format. Every body is read back.
func TestStories_batches(t *testing.T) {
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

// Without stringify-map-keys, map keys that are not strings are an error in JSON and Avro;
// MessagePack and XDR preserve them.
func TestAppend_mapKeys(t *testing.T) {
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

// named returns the format that a story's section "format" names.
func named(t *testing.T, name string) format.Format {
	t.Helper()
	switch strings.TrimSpace(name) {
	case "json":
		return typed
	case "flat-json":
		return flat
	}
	t.Fatalf("no format %q", name)
	return nil
}

func TestStories_oneChange(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		c, err := changetest.Parse(s.Section(t, "change.json"))
		if err != nil {
			t.Fatal(err)
		}
		f := named(t, string(s.Section(t, "format")))
		records, err := f.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		body, mediaType := f.Seal(records, 1)
		s.Check(t, "request.http", fmt.Appendf(nil, "POST / HTTP/1.1\nContent-Type: %s\n\n%s\n", mediaType, body))
	}, "change.json", "format", "request.http")
}

// The same change in each format: a hex dump of the binary ones, and the error if a format
// cannot express the change.
func TestStories_everyFormat(t *testing.T) {
	formats := []format.Format{typed, flat, packs, newAvro(t, mapOfAnything)}
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		c, err := changetest.Parse(s.Section(t, "change.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range formats {
			record, err := f.Append(nil, &c)
			body, _ := f.Seal(record, 1)
			switch f.Name() {
			case "json", "flat-json":
				body = append(body, '\n')
			default:
				body = []byte(hex.Dump(body))
			}
			if err != nil {
				body = []byte(err.Error() + "\n")
			}
			s.Check(t, "as/"+f.Name(), body)
		}
		frame := s.Hex(t, "frame.hex")
		body, _ := raw.Format{}.Seal(frame, 1)
		s.Check(t, "as/xdr", []byte(hex.Dump(body)))
	}, "frame.hex", "change.json", "as/json", "as/flat-json", "as/message-pack", "as/avro", "as/xdr")
}
