package json

import (
	"bytes"
	stdjson "encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// AppendValue appends the value of a bin to dst as [Format] with StringifyMapKeys
// writes it. An error is permanent and says what JSON has no form for; it then
// returns dst as it was.
func AppendValue(dst []byte, v change.Value) ([]byte, error) {
	w := writer{format: Format{}.Name(), stringify: true, dst: dst}
	r := v.Elements()
	w.value("a value", v, &r)
	if w.err != nil {
		return dst, w.err
	}
	return w.dst, nil
}

// AppendBins appends bins to dst as one JSON object, in which [Flat] with
// StringifyMapKeys would have them as members, for readers that refuse numbers which
// neither 64 bits nor a double hold, and nesting of hundreds: GeoJSON, whose text is
// the client's, is written anew. An error is permanent and says what there is no form
// for; it then returns dst as it was.
func AppendBins(dst []byte, bins []change.Bin) ([]byte, error) {
	w := writer{format: Flat{}.Name(), stringify: true, rewriteGeoJSON: true, dst: append(dst, '{')}
	for i := range bins {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.member(&bins[i])
	}
	if w.err != nil {
		return dst, w.err
	}
	return append(w.dst, '}'), nil
}

// AppendString appends text to dst as a JSON string. What is not UTF-8 becomes U+FFFD.
// The text may lie in dst's own memory, before dst's end.
func AppendString[T string | []byte](dst []byte, text T) []byte { return appendString(dst, text) }

// ParseValue reads what AppendValue has written, and takes it for what it looks
// like. The order is that of a list or map. The value may share text's memory. An
// error is permanent.
func ParseValue(text []byte, order change.Order) (change.Value, error) {
	text = bytes.TrimSpace(text)
	if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return change.Value{}, change.Permanent(errors.New("the value is not valid JSON"))
	}
	r := reader{object: text[:len(text):len(text)]}
	return r.untyped("a value", r.object, order)
}

// AppendLine appends the change to dst as one line of JSON, without the line's end:
// as it came, if it came as JSON or flat JSON, else written as [Format] with
// StringifyMapKeys. An error is permanent and says what JSON has no form for; it
// then returns dst as it was. The change must be one that could be read.
func AppendLine(dst []byte, p *format.Parsed) ([]byte, error) {
	switch p.Format {
	case Format{}.Name(), Flat{}.Name():
		return appendCompact(dst, p.Data), nil
	}
	line, err := Format{StringifyMapKeys: true}.Append(dst, &p.Change)
	if err != nil {
		return dst, err
	}
	return line[:len(line)-1], nil
}

// appendCompact appends JSON on one line.
func appendCompact(dst, text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 {
		return append(dst, text...)
	}
	line := bytes.NewBuffer(dst)
	if err := stdjson.Compact(line, text); err != nil {
		panic("json: a parsed change is not JSON: " + err.Error())
	}
	return line.Bytes()
}
