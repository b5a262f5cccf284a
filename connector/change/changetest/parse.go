package changetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
)

// Parse returns the change that text describes: the inverse of [Describe].
func Parse(text []byte) (change.Change, error) {
	var d description
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return change.Change{}, fmt.Errorf("change description: %w", err)
	}
	c := change.Change{
		Namespace: d.Namespace, Set: d.Set, Generation: d.Generation, LUT: d.LUT, Expiry: d.Expiry,
		SourceID: d.SourceID, BinLUTs: d.BinLUTs,
	}
	for c.Op.String() != d.Op {
		if c.Op++; c.Op > change.DurableDelete {
			return change.Change{}, fmt.Errorf("change description: op %q", d.Op)
		}
	}
	for mode, name := range modes {
		if name == d.Mode {
			c.Mode = mode
		}
	}
	if n, err := hex.Decode(c.Digest[:], []byte(d.Digest)); err != nil || n != len(c.Digest) {
		return change.Change{}, fmt.Errorf("change description: digest %q: %d bytes, %w", d.Digest, n, err)
	}
	var err error
	if c.Key, err = parseValue(d.Key); err != nil {
		return change.Change{}, fmt.Errorf("change description: key: %w", err)
	}
	for _, b := range d.Bins {
		v, err := parseValue(b.Value)
		if err != nil {
			return change.Change{}, fmt.Errorf("change description: bin %q: %w", b.Name, err)
		}
		c.Bins = append(c.Bins, change.Bin{Name: b.Name, Value: v, LUT: b.LUT, SourceID: b.SourceID})
	}
	return c, nil
}

func parseValue(x any) (change.Value, error) {
	kind, order, elements := collectionOf(x)
	if kind == change.KindNil {
		return parseScalar(x)
	}
	var p change.Packer
	if err := pack(&p, kind, order, elements); err != nil {
		return change.Value{}, err
	}
	return p.Value(kind)
}

// collectionOf returns the elements that x describes, and KindNil if x is not a list or
// map.
func collectionOf(x any) (change.Kind, change.Order, []any) {
	switch x := x.(type) {
	case []any:
		return change.KindList, change.Unordered, x
	case map[string]any:
		order := change.Unordered
		if n, ok := x["$order"].(json.Number); ok {
			i, _ := n.Int64()
			order = change.Order(i)
		}
		if list, ok := x["$list"].([]any); ok {
			return change.KindList, order, list
		}
		if pairs, ok := x["$map"].([]any); ok {
			return change.KindMap, order, pairs
		}
	}
	return change.KindNil, 0, nil
}

func pack(p *change.Packer, kind change.Kind, order change.Order, elements []any) error {
	p.Open(kind, order)
	for _, e := range elements {
		if kind == change.KindList {
			e = []any{e}
		}
		values, ok := e.([]any)
		if !ok || kind == change.KindMap && len(values) != 2 {
			return fmt.Errorf("%v is not a pair of key and value", e)
		}
		for _, x := range values {
			if err := packElement(p, x); err != nil {
				return err
			}
		}
	}
	p.Close()
	return nil
}

func packElement(p *change.Packer, x any) error {
	if kind, order, elements := collectionOf(x); kind != change.KindNil {
		return pack(p, kind, order, elements)
	}
	v, err := parseScalar(x)
	if err != nil {
		return err
	}
	p.Add(v)
	return nil
}

func parseScalar(x any) (change.Value, error) {
	switch x := x.(type) {
	case nil:
		return change.Value{}, nil
	case bool:
		return change.BoolValue(x), nil
	case string:
		return change.StringValue([]byte(x)), nil
	case json.Number:
		if i, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return change.IntegerValue(i), nil
		}
		if u, err := strconv.ParseUint(x.String(), 10, 64); err == nil {
			return change.UnsignedValue(u), nil
		}
		f, err := x.Float64()
		return change.DoubleValue(f), err
	case map[string]any:
		return parseTagged(x)
	}
	return change.Value{}, fmt.Errorf("%T is not a value", x)
}

func parseTagged(m map[string]any) (change.Value, error) {
	if text, ok := m["$geojson"].(string); ok {
		cells, ok := m["$cells"].(string)
		if !ok {
			return change.GeoJSONValue([]byte(text)), nil
		}
		particle, err := hex.DecodeString(cells)
		if err != nil {
			return change.Value{}, err
		}
		return change.GeoJSONParticle(append(particle, text...))
	}
	for tag, x := range m {
		text, _ := x.(string)
		if tag == "$double" {
			f, err := strconv.ParseFloat(text, 64)
			return change.DoubleValue(f), err
		}
		b, err := hex.DecodeString(text)
		if err != nil {
			return change.Value{}, fmt.Errorf("%s: %w", tag, err)
		}
		kind, err := kindOf(strings.TrimPrefix(tag, "$"))
		if kind == change.KindString {
			return change.StringValue(b), err
		}
		return change.BytesValue(kind, b), err
	}
	return change.Value{}, fmt.Errorf("empty object")
}

func kindOf(name string) (change.Kind, error) {
	for kind := range change.Kind(math.MaxUint8 * 2) {
		if kind.String() == name {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("no kind is called %q", name)
}
