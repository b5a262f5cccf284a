package formats_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// ByName returns a format by its name, and a change that it writes can be read with the
// media type of that name.
func TestByName(t *testing.T) {
	c := bin(packed(t, change.KindMap, "810501")) // a key that is not a string
	for _, name := range []string{"json", "flat-json", "message-pack", "xdr"} {
		f, err := formats.ByName(name, "metadata")
		if err != nil || f.Name() != name {
			t.Fatalf("%s: %v, %v", name, f, err)
		}
		record, err := f.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := all.Parse(formats.MediaTypeOf(name), record)
		if err != nil || len(parsed) != 1 || parsed[0].Err != nil || parsed[0].Format != name {
			t.Errorf("%s: %v, %v", name, parsed, err)
		}
	}
	for _, name := range []string{"", "avro", "JSON", "parquet"} {
		if f, err := formats.ByName(name, "metadata"); err == nil || !strings.Contains(err.Error(), "want json, flat-json, message-pack or xdr") {
			t.Errorf("%q: %v, %v", name, f, err)
		}
	}
	if got := formats.MediaTypeOf("avro") + formats.MediaTypeOf("parquet"); got != format.MediaAvro {
		t.Errorf("media types %q", got)
	}
}

// A body is read by each media type of its format, and the error for another lists all.
func TestParser_mediaTypes(t *testing.T) {
	_, refusal := all.Parse("application/json-seq", nil)
	wantPermanent(t, refusal, "unsupported media type")
	c := change.Change{Op: change.Delete, Namespace: "n"}
	accepted := 0
	for name, mediaTypes := range map[string][]string{
		"json":             {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json"},
		"flat-json":        {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json"},
		"json in an array": {"application/json"},
		"message-pack":     {"application/x-msgpack", "application/msgpack", "application/vnd.msgpack"},
		"avro":             {"application/avro", "avro/binary"},
		"xdr":              {"application/vnd.aerosink.xdr", "application/octet-stream"},
	} {
		r := requests(t, c, c)[name]
		for _, mediaType := range mediaTypes {
			parsed, err := all.Parse(mediaType, []byte(r.body))
			if err != nil || len(parsed) != 2 || parsed[0].Err != nil || parsed[1].Err != nil {
				t.Errorf("%s as %s: %v, %v", name, mediaType, parsed, err)
			}
			if !strings.Contains(refusal.Error()+",", " "+mediaType+",") {
				t.Errorf("%v, want one that lists %s", refusal, mediaType)
			}
		}
		if name != "flat-json" && name != "json in an array" {
			accepted += len(mediaTypes)
		}
	}
	if _, list, _ := strings.Cut(refusal.Error(), "want "); strings.Count(list, ",")+1 != accepted {
		t.Errorf("%v, want one that lists %d media types", refusal, accepted)
	}
}

// A body that is compressed without saying so is one error, not one for each part that
// looks like a line or a message.
func TestParser_undeclaredCompression(t *testing.T) {
	c := bin(change.StringValue([]byte(strings.Repeat("text\n", 1000))))
	f := newAvro(t, mapOfAnything)
	record, err := f.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	if _, err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for coding, body := range map[string][]byte{"gzip": gz.Bytes(), "zstd": zstandard(t, record)} {
		for _, mediaType := range strings.Split(formats.MediaTypes(), ", ") {
			for _, p := range []formats.Parser{all, reading(f)} {
				parsed, err := p.Parse(mediaType, body)
				wantPermanent(t, err, "byte 0: undeclared content coding: the body is compressed; send it with Content-Encoding: "+coding)
				if parsed != nil || !errors.Is(err, format.ErrContentCoding) {
					t.Errorf("%s: %d changes", mediaType, len(parsed))
				}
			}
		}
	}
	// A datum of Avro may begin with the same bytes.
	number := newAvro(t, `{"type":"record","name":"R","fields":[{"name":"b","type":"long"},{"name":"c","type":"long"},
		{"name":"metadata","type":{"type":"map","values":["string","bytes"]}}]}`)
	record, err = number.Append(nil, &change.Change{Namespace: "n", Expiry: change.ExpiryUnknown, Bins: []change.Bin{
		{Name: "b", Value: change.IntegerValue(-16)}, {Name: "c", Value: change.IntegerValue(-518)}}})
	if err != nil || !bytes.HasPrefix(record, []byte("\x1f\x8b\x08")) {
		t.Fatalf("% x, %v", record, err)
	}
	if parsed, err := reading(number).Parse(format.MediaAvro, record); err != nil || parsed[0].Err != nil {
		t.Errorf("%v, %v", parsed, err)
	}
}

// Errors for each part of a body must not take many times its memory.
func TestParser_bodyOfTinyParts(t *testing.T) {
	for mediaType, part := range map[string]string{format.MediaJSON: "{}", format.MediaNDJSON: "0\n", format.MediaMessagePack: "\xc0", format.MediaXDR: "\x02\x03\x00\x00\x00\x00\x00\x00"} {
		_, err := all.Parse(mediaType, []byte(strings.Repeat(part, 1000)))
		wantPermanent(t, err, "more changes than a body of this size can hold")
		if parsed, err := all.Parse(mediaType, []byte(strings.Repeat(part, 50))); err != nil || len(parsed) != 50 {
			t.Errorf("%s: %d changes, %v", mediaType, len(parsed), err)
		}
	}
	if parsed, err := all.Parse(format.MediaNDJSON, []byte(strings.Repeat("\n", 1000))); err != nil || len(parsed) != 0 {
		t.Errorf("empty lines: %d changes, %v", len(parsed), err)
	}
}

// The previous content of Buffer does not matter, and Buffer is used if it is large
// enough.
func TestParser_buffer(t *testing.T) {
	key := `{"msg":"write","key":["shop",null,"` + digest64 + `",null],"gen":7,"bins":[{"name":"a","type":"int","value":1}]}`
	body := []byte(key + "\n{}\n" + strings.Replace(key, `"gen":7,`, "", 1))
	p := all
	p.Bins = true
	want, err := p.Parse(format.MediaNDJSON, body)
	if err != nil || len(want) != 3 {
		t.Fatal(want, err)
	}
	for _, size := range []int{0, 1, 3, 100} {
		p.Buffer = make([]format.Parsed, size)
		for i := range p.Buffer {
			p.Buffer[i] = want[0]
		}
		got, err := p.Parse(format.MediaNDJSON, body)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("buffer of %d: %v, %v, want %v", size, got, err, want)
		}
		if in := size > 0 && &got[0] == &p.Buffer[0]; in != (size >= len(want)) {
			t.Errorf("buffer of %d: used is %t", size, in)
		}
	}
}
