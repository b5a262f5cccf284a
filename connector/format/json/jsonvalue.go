package json

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// untyped takes a value for what it looks like. The order is that of a list or
// map.
func (r *jsonReader) untyped(what string, value []byte, order change.Order) (change.Value, error) {
	kind := change.KindMap
	switch value[0] {
	case '[':
		kind = change.KindList
		fallthrough
	case '{':
		var p change.Packer
		if _, err := pack(&p, value, order, 1); err != nil {
			return change.Value{}, r.fault(value, "%s: %v", what, err)
		}
		v, err := p.Value(kind)
		if err != nil {
			return change.Value{}, r.fault(value, "%s: %v", what, err)
		}
		return v, nil
	}
	v, err := parseScalar(value)
	if err != nil {
		return change.Value{}, r.fault(value, "%s: %v", what, err)
	}
	return v, nil
}

// pack adds the valid JSON value that b begins with to p, and returns what
// follows it. It reads each byte once, however deep values nest.
func pack(p *change.Packer, b []byte, order change.Order, depth int) ([]byte, error) {
	kind := change.KindList
	switch b[0] {
	case '{':
		kind = change.KindMap
	case '[':
	default:
		end := valueEnd(b)
		v, err := parseScalar(b[:end])
		p.Add(v)
		return b[end:], err
	}
	if depth > change.MaxDepth {
		return nil, format.ErrDepth
	}
	p.Open(kind, order)
	for b = between(b[1:]); b[0] != ']' && b[0] != '}'; b = between(b) {
		if kind == change.KindMap {
			end := stringEnd(b)
			p.Add(change.StringValue(unquote(b[:end])))
			b = between(b[end:])
		}
		var err error
		if b, err = pack(p, b, change.Unordered, depth+1); err != nil {
			return nil, err
		}
	}
	p.Close()
	return b[1:], nil
}

// parseScalar reads a valid JSON value that is neither object nor array.
func parseScalar(value []byte) (change.Value, error) {
	switch value[0] {
	case 'n':
		return change.Value{}, nil
	case 't', 'f':
		return change.BoolValue(value[0] == 't'), nil
	case '"':
		return change.StringValue(unquote(value)), nil
	}
	return parseNumber(value)
}

var (
	errInteger = errors.New("an integer of more than 64 bits")
	errDouble  = errors.New("a number beyond the range of doubles")
)

// parseNumber reads a valid JSON number: without fraction and exponent it is an
// integer, and never passes through a double.
func parseNumber(value []byte) (change.Value, error) {
	text := string(value)
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) {
			return change.Value{}, errDouble
		}
		return change.DoubleValue(f), nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return change.IntegerValue(i), nil
	}
	u, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return change.Value{}, errInteger
	}
	return change.UnsignedValue(u), nil
}
