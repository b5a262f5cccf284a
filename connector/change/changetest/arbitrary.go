package changetest

import (
	"encoding/binary"
	"math"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

// Arbitrary draws changes. The zero Arbitrary draws everything that XDR can carry.
type Arbitrary struct {
	// Text limits changes to what a text format can express: strings are UTF-8, map keys
	// are strings, blobs and GeoJSON are not nested, numbers are finite, the kinds of bins
	// have names, and the mode is unknown.
	Text bool
}

// Change draws a change.
func (a Arbitrary) Change(t *rapid.T) change.Change {
	c := change.Change{
		Op:         change.Op(rapid.IntRange(0, 2).Draw(t, "op")),
		Namespace:  a.name(t, "namespace", 31),
		Generation: uint32(rapid.Uint16Min(1).Draw(t, "generation")),
		LUT:        rapid.Int64Range(1262304000001, 1262304000000+1<<40-1).Draw(t, "lut"),
		Key:        a.key(t),
	}
	if rapid.Bool().Draw(t, "in a set") {
		c.Set = a.name(t, "set", 63)
	}
	copy(c.Digest[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "digest"))
	if !a.Text {
		c.SourceID = rapid.Byte().Draw(t, "source id")
	}
	if c.Op.IsDelete() {
		return c
	}
	c.Expiry = int64(rapid.IntRange(0, 1).Draw(t, "expires")) * (Receipt.Unix() + rapid.Int64Range(1, 1<<31).Draw(t, "ttl"))
	if !a.Text {
		c.Mode = change.Mode(rapid.IntRange(1, 2).Draw(t, "mode"))
		c.BinLUTs = rapid.Bool().Draw(t, "bin LUTs")
	}
	for range rapid.IntRange(0, 5).Draw(t, "bins") {
		c.Bins = append(c.Bins, a.bin(t, &c))
	}
	return c
}

func (a Arbitrary) bin(t *rapid.T, c *change.Change) change.Bin {
	b := change.Bin{Name: a.name(t, "bin", 15), Value: a.Value(t)}
	for _, other := range c.Bins {
		if other.Name == b.Name { // bins have different names
			return a.bin(t, c)
		}
	}
	if c.BinLUTs && rapid.Bool().Draw(t, "own LUT") {
		b.LUT = rapid.Int64Range(1262304000001, c.LUT).Draw(t, "bin LUT")
		b.SourceID = c.SourceID
	}
	return b
}

func (a Arbitrary) name(t *rapid.T, label string, most int) string {
	return rapid.StringMatching(`[a-zA-Z0-9_é世-]{1,3}[a-zA-Z0-9_$. -]{0,10}`).Filter(func(s string) bool { return len(s) <= most }).Draw(t, label)
}

func (a Arbitrary) key(t *rapid.T) change.Value {
	switch rapid.IntRange(0, 4).Draw(t, "key kind") {
	case 1:
		return change.IntegerValue(rapid.Int64().Draw(t, "key"))
	case 2:
		return change.StringValue([]byte(rapid.String().Draw(t, "key")))
	case 3:
		if !a.Text {
			return change.BytesValue(change.KindBlob, a.bytes(t))
		}
	}
	return change.Value{}
}

// Value draws the value of a bin.
func (a Arbitrary) Value(t *rapid.T) change.Value {
	kinds := []change.Kind{
		change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBlob, change.KindBool,
		change.KindHLL, change.KindGeoJSON, change.KindList, change.KindMap,
	}
	if !a.Text {
		kinds = append(kinds, change.KindJavaBlob, change.KindErlangBlob, change.KindVector, 31, 255)
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	switch kind {
	case change.KindList, change.KindMap:
		var p change.Packer
		a.collection(t, &p, kind, 3)
		v, err := p.Value(kind)
		if err != nil {
			t.Fatalf("packed what cannot be read: %v", err)
		}
		return v
	case change.KindGeoJSON:
		return a.geoJSON(t)
	}
	return a.scalar(t, kind)
}

// geoJSON draws a particle with cells, or only the text if cells cannot be expressed.
func (a Arbitrary) geoJSON(t *rapid.T) change.Value {
	text := `{"type":"Point","coordinates":[-122.0,37.5]}`
	if a.Text {
		return change.GeoJSONValue([]byte(text))
	}
	cells := rapid.IntRange(0, 3).Draw(t, "cells")
	particle := append([]byte{0, 0, byte(cells)}, make([]byte, 8*cells)...)
	v, err := change.GeoJSONParticle(append(particle, text...))
	if err != nil {
		t.Fatalf("geojson: %v", err)
	}
	return v
}

func (a Arbitrary) collection(t *rapid.T, p *change.Packer, kind change.Kind, depth int) {
	orders := []change.Order{change.Unordered, change.Ordered}
	if kind == change.KindMap {
		orders = append(orders, change.KeyValueOrdered)
	}
	order := rapid.SampledFrom(orders).Draw(t, "order")
	if a.Text && depth < 3 {
		order = change.Unordered
	}
	p.Open(kind, order)
	for i := range rapid.IntRange(0, 4).Draw(t, "length") {
		if kind == change.KindMap {
			p.Add(a.mapKey(t, i))
		}
		a.element(t, p, depth-1)
	}
	p.Close()
}

// mapKey draws the i-th key. It differs from all others.
func (a Arbitrary) mapKey(t *rapid.T, i int) change.Value {
	if a.Text || rapid.Bool().Draw(t, "string key") {
		return change.StringValue([]byte(string(rune('a'+i)) + rapid.String().Draw(t, "map key")))
	}
	return change.IntegerValue(int64(i) << rapid.IntRange(0, 60).Draw(t, "shift"))
}

func (a Arbitrary) element(t *rapid.T, p *change.Packer, depth int) {
	kinds := []change.Kind{change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBool}
	if !a.Text {
		kinds = append(kinds, change.KindUnsigned, change.KindBlob, change.KindGeoJSON, change.KindHLL)
	}
	if depth > 0 {
		kinds = append(kinds, change.KindList, change.KindMap)
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "element kind")
	if kind.IsCollection() {
		a.collection(t, p, kind, depth)
		return
	}
	p.Add(a.scalar(t, kind))
}

func (a Arbitrary) scalar(t *rapid.T, kind change.Kind) change.Value {
	switch kind {
	case change.KindNil:
		return change.Value{}
	case change.KindInteger:
		return change.IntegerValue(rapid.Int64().Draw(t, "integer"))
	case change.KindUnsigned:
		return change.UnsignedValue(rapid.Uint64Min(math.MaxInt64+1).Draw(t, "unsigned"))
	case change.KindBool:
		return change.BoolValue(rapid.Bool().Draw(t, "bool"))
	case change.KindDouble:
		if a.Text {
			return change.DoubleValue(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "double"))
		}
		bits := rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "double bits")
		return change.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(bits)))
	case change.KindString:
		if a.Text {
			return change.StringValue([]byte(rapid.String().Draw(t, "string")))
		}
		return change.StringValue(a.bytes(t))
	case change.KindGeoJSON:
		return change.GeoJSONValue([]byte(`{"type":"Point","coordinates":[1,2]}`))
	}
	return change.BytesValue(kind, a.bytes(t))
}

func (a Arbitrary) bytes(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
}
