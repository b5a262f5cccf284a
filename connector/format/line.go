package format

import (
	"bytes"
	"encoding/json"
)

// AppendLine appends the change to dst as one line of JSON, without the line's end:
// as it came, if it came as JSON or flat JSON, else written as [JSON] with
// StringifyMapKeys. An error is permanent and says what JSON has no form for; it
// then returns dst as it was. The change must be one that could be read.
func (p *Parsed) AppendLine(dst []byte) ([]byte, error) {
	switch p.Format {
	case JSON{}.Name(), FlatJSON{}.Name():
		return appendCompact(dst, p.Data), nil
	}
	line, err := JSON{StringifyMapKeys: true}.Append(dst, &p.Change)
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
	if err := json.Compact(line, text); err != nil {
		panic("format: a change that was parsed is no JSON: " + err.Error())
	}
	return line.Bytes()
}
