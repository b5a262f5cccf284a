package lambda

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// event is the event of an invocation, and the memory that it is read into.
type event struct {
	envelope

	decoder jsontext.Decoder
	input   bytes.Buffer
	rest    []byte // the event without the string of its body
	values  []byte // memory of the values of the envelope
	text    []byte // memory of the body
}

// envelope is what an event holds: one type for all fronts. Members that are absent or null
// are zero. Its slices are valid until the event is freed.
type envelope struct {
	version  string // of API Gateway's payload format: 1.0, 2.0 or none
	method   string
	path     string // of all fronts but HTTP API 2.0 and function URLs
	rawPath  string // of those
	rawQuery string

	headers, multiHeaders jsontext.Value // objects; nil if absent
	query, multiQuery     jsontext.Value
	cookies               jsontext.Value // an array

	context     requestContext
	hasContext  bool
	contentType string // what our request templates write for a REST API without proxy
	stage       string // the same
	template    bool   // whether one of our request templates wrote the event
	base64      bool
	service     string // of AWS, which sent it without HTTP
	source      string // the same, of an event of EventBridge
	detail      bool   // whether it is one

	kind bodyKind
	body []byte // the string, unescaped, or the JSON of an object or array

	unchecked bool // whether the body is a string that has not been looked at
}

// requestContext is what a front says about itself and its client.
type requestContext struct {
	id     string
	stage  string
	domain string
	client string // IP address
	method string // HTTP API 2.0 and function URLs
	http   bool   // HTTP API 2.0 and function URLs
	elb    bool   // a load balancer
}

// bodyKind is the JSON type of the member body.
type bodyKind int

const (
	noBody bodyKind = iota // absent or null
	stringBody
	jsonBody // an object or array, of a REST API without proxy
)

// An event has at most 6 MB, so memory of that size is kept.
var events = sync.Pool{New: func() any { return new(event) }}

// newEvent returns an empty event. The caller frees it.
func newEvent() *event { return events.Get().(*event) } //nolint:forcetypeassert // the pool holds nothing else

// free makes the memory of the event available to others.
func (e *event) free() {
	e.decode(nil) // keep no reference to the payload
	e.envelope, e.rest, e.values, e.text = envelope{}, e.rest[:0], e.values[:0], e.text[:0]
	events.Put(e)
}

// read reads the event from JSON, which it neither modifies nor keeps after free. An error
// names the offset in bytes or a member of the envelope, and nothing else of the event.
//
// The string of the body is cut out first and scanned only once, because it is nearly all of
// an event. The decoder checks the syntax of the rest.
func (e *event) read(payload []byte) error {
	start, end := bodyStart(payload), 0
	rest := payload
	if start > 0 {
		n, err := e.readString(payload[start:])
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errEnds
		case err != nil:
			return fmt.Errorf("member body: %w", shift(err, start))
		}
		end = start + n
		e.rest = append(append(append(e.rest[:0], payload[:start]...), `""`...), payload[end:]...)
		rest = e.rest
	}
	e.decode(rest)
	if e.decoder.PeekKind() == '[' {
		e.service = "EventBridge Pipes"
		return nil
	}
	err := e.object(func(name string) error { return e.member(name, start > 0) })
	if err == nil {
		_, err = e.decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return errors.New("the event is JSON with text behind it")
	}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnds
	case errors.As(err, &syntax): // its own text may name members of a body
		at := int(syntax.ByteOffset)
		if at > start {
			at += max(0, end-start-len(`""`))
		}
		return &syntaxError{at, "invalid JSON"}
	}
	return err
}

// errEnds means that an event ends early.
var errEnds = fmt.Errorf("the event is cut off: %w", io.ErrUnexpectedEOF)

// decode makes the decoder read from b.
func (e *event) decode(b []byte) {
	e.input = *bytes.NewBuffer(b)
	e.decoder.Reset(&e.input)
}

// syntaxError means that an event is not JSON.
type syntaxError struct {
	offset int // in bytes
	what   string
}

func (s *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", s.what, s.offset) }

// shift adds n to the offset of an error.
func shift(err error, n int) error {
	var s *syntaxError
	if errors.As(err, &s) {
		return &syntaxError{s.offset + n, s.what}
	}
	return err
}

// member reads the value of a member of the event. With cut, the string of the body is read
// already.
func (e *event) member(name string, cut bool) error {
	switch name {
	case "version":
		return e.string(name, &e.version)
	case "httpMethod":
		return e.string(name, &e.method)
	case "path":
		return e.string(name, &e.path)
	case "rawPath":
		return e.string(name, &e.rawPath)
	case "rawQueryString":
		return e.string(name, &e.rawQuery)
	case "contentType":
		return e.string(name, &e.contentType)
	case "stage":
		return e.string(name, &e.stage)
	case "isBase64Encoded":
		return e.bool(name, &e.base64)
	case "aerosink":
		value, err := e.decoder.ReadValue()
		e.template = string(value) == "1"
		return err
	case "headers":
		return e.keep(name, '{', &e.headers)
	case "multiValueHeaders":
		return e.keep(name, '{', &e.multiHeaders)
	case "queryStringParameters":
		return e.keep(name, '{', &e.query)
	case "multiValueQueryStringParameters":
		return e.keep(name, '{', &e.multiQuery)
	case "cookies":
		return e.keep(name, '[', &e.cookies)
	case "requestContext":
		e.hasContext = e.decoder.PeekKind() == '{'
		return e.object(e.contextMember)
	case "body":
		return e.readBody(cut)
	case "eventSource":
		return e.string(name, &e.service)
	case "source":
		return e.string(name, &e.source)
	case "detail-type":
		e.detail = true
	case "Records":
		return e.readRecords()
	}
	return e.decoder.SkipValue()
}

// contextMember reads the value of a member of the request context.
func (e *event) contextMember(name string) error {
	c := &e.context
	switch name {
	case "requestId":
		return e.string(name, &c.id)
	case "stage":
		return e.string(name, &c.stage)
	case "domainName":
		return e.string(name, &c.domain)
	case "elb":
		c.elb = e.decoder.PeekKind() == '{'
	case "identity":
		return e.object(func(name string) error {
			if name == "sourceIp" {
				return e.string(name, &c.client)
			}
			return e.decoder.SkipValue()
		})
	case "http":
		c.http = e.decoder.PeekKind() == '{'
		return e.object(func(name string) error {
			switch name {
			case "method":
				return e.string(name, &c.method)
			case "sourceIp":
				return e.string(name, &c.client)
			}
			return e.decoder.SkipValue()
		})
	}
	return e.decoder.SkipValue()
}

// readRecords finds out which service sent records.
func (e *event) readRecords() error {
	if e.decoder.PeekKind() != '[' {
		return e.decoder.SkipValue()
	}
	return e.array(func() error {
		if e.decoder.PeekKind() != '{' {
			return e.decoder.SkipValue()
		}
		return e.object(func(name string) error {
			if name == "eventSource" || name == "EventSource" {
				return e.string(name, &e.service)
			}
			return e.decoder.SkipValue()
		})
	})
}

// otherService returns the service that sent the event, "" if it is none that is known to send
// events without HTTP: queues, streams and buckets name themselves, events of EventBridge and
// its schedules have a source, and its pipes send an array.
func (e *envelope) otherService() string {
	if e.service == "" && e.detail {
		return e.source
	}
	return e.service
}

// object calls member with the name of each member of the next value, and member reads its
// value. The next value may be null.
func (e *event) object(member func(name string) error) error {
	token, err := e.decoder.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		return nil
	case '{':
	default:
		return fmt.Errorf("a %s where an object belongs", typeOf(token.Kind()))
	}
	for e.decoder.PeekKind() != '}' {
		token, err := e.decoder.ReadToken()
		if err != nil {
			return err
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
	_, err = e.decoder.ReadToken()
	return err
}

// array calls element before each element of the next value, which is an array, and element
// reads it.
func (e *event) array(element func() error) error {
	if _, err := e.decoder.ReadToken(); err != nil {
		return err
	}
	for e.decoder.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := e.decoder.ReadToken()
	return err
}

// string reads a string or null.
func (e *event) string(name string, to *string) error {
	token, err := e.decoder.ReadToken()
	switch {
	case err != nil:
		return err
	case token.Kind() == '"':
		*to = token.String()
	case token.Kind() != 'n':
		return fmt.Errorf("member %s is a %s, want a string", name, typeOf(token.Kind()))
	}
	return nil
}

// bool reads a boolean or null.
func (e *event) bool(name string, to *bool) error {
	token, err := e.decoder.ReadToken()
	switch {
	case err != nil:
		return err
	case token.Kind() == 't':
		*to = true
	case token.Kind() != 'f' && token.Kind() != 'n':
		return fmt.Errorf("member %s is a %s, want true or false", name, typeOf(token.Kind()))
	}
	return nil
}

// keep reads an object or array, as want says, or null, without looking into it.
func (e *event) keep(name string, want jsontext.Kind, to *jsontext.Value) error {
	kind := e.decoder.PeekKind()
	value, err := e.decoder.ReadValue()
	switch {
	case err != nil:
		return err
	case kind == want:
		e.values = append(e.values, value...)
		*to = jsontext.Value(e.values[len(e.values)-len(value):])
	case kind != 'n':
		return fmt.Errorf("member %s is a %s, want a %s", name, typeOf(kind), typeOf(want))
	}
	return nil
}

// typeOf returns the name of a JSON type.
func typeOf(kind jsontext.Kind) string {
	switch kind {
	case '{':
		return "JSON object"
	case '[':
		return "JSON array"
	case '"':
		return "string"
	case '0':
		return "number"
	case 'n':
		return "null"
	}
	return "boolean"
}

// readBody reads the member body. With cut, its string is read already.
func (e *event) readBody(cut bool) error {
	kind := e.decoder.PeekKind()
	value, err := e.decoder.ReadValue()
	if err != nil {
		return err
	}
	switch kind {
	case 'n':
	case '"':
		e.kind = stringBody
		if !cut {
			_, err = e.readString(value)
		}
	case '{', '[':
		e.kind = jsonBody
		e.text = append(e.text[:0], value...)
		e.body = e.text
	default:
		err = fmt.Errorf("member body is a %s, want a string", typeOf(kind))
	}
	return err
}

// readString reads the string at the start of b as the body, and returns its length with the
// quotes. A string without escapes is neither copied nor checked: most are Base64, whose
// decoder takes nothing else.
func (e *event) readString(b []byte) (n int, err error) {
	inner := b[1:]
	if end := bytes.IndexByte(inner, '"'); end >= 0 && bytes.IndexByte(inner[:end], '\\') < 0 {
		e.body, e.unchecked = inner[:end], true
		return end + len(`""`), nil
	}
	if e.text, n, err = unescape(e.text[:0], inner); err != nil {
		return 0, shift(err, 1)
	}
	e.body = e.text
	return n + 1, nil
}

// checkText checks that the body is what a string in JSON can be.
func (e *event) checkText() error {
	switch {
	case e.unchecked && indexControl(e.body) >= 0:
		return errors.New("member body has a control character in its string")
	case !utf8.Valid(e.body):
		return errors.New("member body is not UTF-8")
	}
	return nil
}

// errBase64 means that the body is not what isBase64Encoded says.
var errBase64 = errors.New("isBase64Encoded is true, but the body is not Base64")

// decodeBase64 decodes the body, which is a string.
func (e *event) decodeBase64() error {
	if bytes.IndexByte(e.body, '\n') >= 0 || bytes.IndexByte(e.body, '\r') >= 0 {
		return errBase64 // the decoder ignores line breaks
	}
	// A body that was unescaped is decoded in place: the decoder has read what it overwrites.
	n := base64.StdEncoding.DecodedLen(len(e.body))
	if cap(e.text) < n {
		e.text = make([]byte, n)
	}
	n, err := base64.StdEncoding.Strict().Decode(e.text[:n], e.body)
	if err != nil {
		return errBase64
	}
	e.text = e.text[:n]
	e.body = e.text
	return nil
}
