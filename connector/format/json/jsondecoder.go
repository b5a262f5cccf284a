package json

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/format"
)

// jsonDecoder checks the syntax of a body, with all that RFC 8259 and I-JSON
// (RFC 7493) ask for: UTF-8, no lone surrogates, no member twice. It gives the
// values of the body one by one.
type jsonDecoder struct {
	text   *jsontext.Decoder
	buffer bytes.Buffer
	body   []byte
	base   int // offset of body in the request body
	names  jsonNames
}

func newJSONDecoder() *jsonDecoder {
	return &jsonDecoder{text: new(jsontext.Decoder), names: jsonNames{seed: maphash.MakeSeed()}}
}

// reset makes d decode body, which stands at base in the request body.
func (d *jsonDecoder) reset(body []byte, base int) {
	d.buffer = *bytes.NewBuffer(body)
	d.body, d.base = body, base
	d.text.Reset(&d.buffer, jsontext.AllowDuplicateNames(d.isLarge()))
}

// offset returns where in the request body d is.
func (d *jsonDecoder) offset() int { return d.base + int(d.text.InputOffset()) }

// next returns the next whole value.
func (d *jsonDecoder) next() ([]byte, error) {
	value, err := d.text.ReadValue()
	if err != nil {
		return nil, d.syntax(err)
	}
	end := int(d.text.InputOffset())
	value = d.body[end-len(value) : end : end]
	if d.isLarge() {
		if name, _ := d.names.twice(value); name != nil {
			return nil, twice(d.base + end - cap(name))
		}
	}
	return value, nil
}

func (d *jsonDecoder) isLarge() bool { return len(d.body) >= largeJSON }

// twice is the fault of a member that occurs for the second time at an offset.
func twice(offset int) error { return format.ErrorAt(offset, "the same member twice in a JSON object") }

// nextElement returns the next object, in an array or outside, and nil at the
// end of the body.
func (d *jsonDecoder) nextElement() ([]byte, error) {
	for {
		switch kind := d.text.PeekKind(); {
		case kind == '{':
			return d.next()
		case kind == '[' && d.text.StackDepth() == 0, kind == ']':
			if _, err := d.text.ReadToken(); err != nil {
				return nil, d.syntax(err)
			}
		case kind == 0:
			_, err := d.text.ReadToken()
			if errors.Is(err, io.EOF) && d.text.StackDepth() == 0 {
				return nil, nil
			}
			return nil, d.syntax(err)
		default:
			return nil, d.fault("a change is a JSON object, and several are an array of objects")
		}
	}
}

// syntax rewrites a decoder's error, which may quote the data.
func (d *jsonDecoder) syntax(err error) error {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return format.ErrorAt(d.base+len(d.body), "the JSON ends too early")
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &s):
		return twice(d.base + int(s.ByteOffset))
	case errors.As(err, &s) && s.Err != nil && s.Err.Error() == tooDeepForJSON:
		return format.TooLargeAt(d.base+int(s.ByteOffset), "arrays and objects nest deeper than JSON can be checked")
	case errors.As(err, &s):
		return format.ErrorAt(d.base+int(s.ByteOffset), "not JSON in UTF-8")
	}
	return d.fault("not JSON in UTF-8")
}

// tooDeepForJSON is what the decoder says of JSON that nests deeper than 10,000. A
// change over a limit that is less stands for itself.
const tooDeepForJSON = "exceeded max depth"

func (d *jsonDecoder) fault(detail string) error { return format.ErrorAt(d.offset(), "%s", detail) }
