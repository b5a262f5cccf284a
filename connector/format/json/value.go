package json

import (
	"bytes"
	stdjson "encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// AppendLine appends the change to dst as one line of JSON, without the newline. JSON
// and flat JSON are copied; other formats are written as [Format] with
// StringifyMapKeys. An error is permanent and says what JSON cannot express; dst is
// then returned as it was. p.Err must be nil.
func AppendLine(dst []byte, p *format.Parsed) ([]byte, error) {
	switch p.Format {
	case Name, FlatName:
		return appendCompact(dst, p.Data), nil
	}
	line, err := Format{StringifyMapKeys: true}.Append(dst, &p.Change)
	if err != nil {
		return dst, err
	}
	return line[:len(line)-1], nil
}

// appendCompact appends a JSON text on one line.
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

// AppendValue appends the value of a bin to dst as [Format] with StringifyMapKeys
// writes it. An error is permanent and says what JSON cannot express; dst is then
// returned as it was.
func AppendValue(dst []byte, v change.Value) ([]byte, error) {
	w := writer{format: Name, stringify: true, dst: dst}
	r := v.Elements()
	w.value("a value", v, &r)
	if w.err != nil {
		return dst, w.err
	}
	return w.dst, nil
}

// AppendBins appends bins to dst as one JSON object with the members that [Flat] with
// StringifyMapKeys writes, as far as a JSON column of BigQuery takes them. It refuses deep
// nesting, numbers that fit neither 64 bits nor a double, and doubles in another form than
// its own: see appendGrisu2. GeoJSON, whose text comes from the client, is parsed and written
// again. An error is permanent and says what cannot be expressed; dst is then returned as it
// was.
func AppendBins(dst []byte, bins []change.Bin) ([]byte, error) {
	w := writer{format: FlatName, stringify: true, bigQuery: true, dst: append(dst, '{')}
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

// ParseValue reads a JSON value, such as AppendValue writes; its type follows from its
// syntax. A list or map gets the given order. The value may share text's memory. An
// error is permanent.
func ParseValue(text []byte, order change.Order) (change.Value, error) {
	text = bytes.TrimSpace(text)
	if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return change.Value{}, change.Permanent(errors.New("the value is not valid JSON"))
	}
	r := reader{object: text[:len(text):len(text)]}
	return r.untyped("a value", r.object, order)
}
