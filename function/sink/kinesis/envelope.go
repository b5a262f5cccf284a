package kinesis

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/function/sink/payload"
)

// appendEnvelope appends a JSON object with attributes and, last, data: as the member data if
// it is JSON, else as data_base64. Attributes that are empty or not UTF-8 are left out. The names
// of the two members are those of CloudEvents
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
//
// The value of the member data is the bytes of data, without space around them.
func appendEnvelope(dst []byte, attributes []payload.Attribute, data []byte) []byte {
	dst = append(dst, '{')
	for _, a := range attributes {
		if a.Value == "" || !utf8.ValidString(a.Value) {
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, a.Name...)
		dst = append(dst, `":`...)
		if a.Number {
			dst = append(dst, a.Value...)
		} else {
			dst, _ = jsontext.AppendQuote(dst, a.Value) // fails for what is not UTF-8
		}
		dst = append(dst, ',')
	}
	if jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true)) {
		dst = append(dst, `"data":`...)
		dst = append(dst, bytes.TrimSpace(data)...)
		return append(dst, '}')
	}
	dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(data))+20)
	dst = append(dst, `"data_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return append(dst, `"}`...)
}
