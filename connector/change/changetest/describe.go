package changetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
)

// description is a change as in stories: lossless, readable JSON.
type description struct {
	Op         string `json:"op"`
	Mode       string `json:"mode,omitempty"`
	Namespace  string `json:"namespace"`
	Set        string `json:"set,omitempty"`
	Digest     string `json:"digest"`
	Key        any    `json:"key,omitempty"`
	Generation uint32 `json:"generation,omitempty"`
	LUT        int64  `json:"lut,omitempty"`
	Expiry     int64  `json:"expiry,omitempty"`
	SourceID   uint8  `json:"source_id,omitempty"`
	BinLUTs    bool   `json:"bin_luts,omitempty"`
	Bins       []bin  `json:"bins,omitempty"`
}

type bin struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Value    any    `json:"value"`
	LUT      int64  `json:"lut,omitempty"`
	SourceID uint8  `json:"source_id,omitempty"`
}

var modes = map[change.Mode]string{change.ModeUnknown: "", change.Replace: "replace", change.Update: "update"}

// Describe returns c as indented JSON. Two changes are equal if and only if their
// descriptions are.
func Describe(c *change.Change) []byte {
	d := description{
		Op:         c.Op.String(),
		Mode:       modes[c.Mode],
		Namespace:  c.Namespace,
		Set:        c.Set,
		Digest:     hex.EncodeToString(c.Digest[:]),
		Generation: c.Generation,
		LUT:        c.LUT,
		Expiry:     c.Expiry,
		SourceID:   c.SourceID,
		BinLUTs:    c.BinLUTs,
	}
	if c.Key.Kind() != change.KindNil {
		d.Key = describeValue(c.Key, nil)
	}
	for _, b := range c.Bins {
		r := b.Value.Elements()
		d.Bins = append(d.Bins, bin{b.Name, b.Value.Kind().String(), describeValue(b.Value, &r), b.LUT, b.SourceID})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		panic("changetest: " + err.Error())
	}
	return out.Bytes()
}

// describeValue returns v as a value of JSON. A type that JSON does not have becomes an
// object with one member, whose name begins with a dollar sign.
func describeValue(v change.Value, r *change.Reader) any {
	switch v.Kind() {
	case change.KindNil:
		return nil
	case change.KindBool:
		return v.Bool()
	case change.KindInteger:
		return v.Integer()
	case change.KindUnsigned:
		return v.Unsigned()
	case change.KindDouble:
		return describeDouble(v.Double())
	case change.KindString:
		if utf8.Valid(v.Bytes()) {
			return string(v.Bytes())
		}
		return map[string]any{"$string": hex.EncodeToString(v.Bytes())}
	case change.KindList:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = describeValue(r.Next(), r)
		}
		return ordered("$list", list, v.Order())
	case change.KindMap:
		pairs := make([]any, v.Len())
		for i := range pairs {
			key := describeValue(r.Next(), r)
			pairs[i] = []any{key, describeValue(r.Next(), r)}
		}
		return ordered("$map", pairs, v.Order())
	case change.KindGeoJSON:
		m := map[string]any{"$geojson": string(v.Bytes())}
		if particle, ok := v.GeoJSONParticle(); ok {
			m["$cells"] = hex.EncodeToString(particle[:len(particle)-len(v.Bytes())])
		}
		return m
	default:
		return map[string]any{fmt.Sprintf("$%s", v.Kind()): hex.EncodeToString(v.Bytes())}
	}
}

func describeDouble(d float64) any {
	if math.IsNaN(d) || math.IsInf(d, 0) || d == math.Trunc(d) {
		return map[string]any{"$double": strconv.FormatFloat(d, 'g', -1, 64)}
	}
	return d
}

func ordered(name string, elements []any, order change.Order) any {
	if order == change.Unordered && name == "$list" {
		return elements
	}
	m := map[string]any{name: elements}
	if order != change.Unordered {
		m["$order"] = order
	}
	return m
}
