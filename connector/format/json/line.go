package json

import (
	"bytes"
	stdjson "encoding/json"

	"github.com/aerosink/aerosink/connector/format"
)

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
		panic("format: a change that was parsed is no JSON: " + err.Error())
	}
	return line.Bytes()
}
