package row

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
)

// cell is a value, of a key or bin, that goes into columns.
type cell struct {
	name     string
	v        change.Value
	json     []byte // of a list, a map or GeoJSON
	exact    bool   // json expresses a list or map without loss
	lut      int64  // of the bin; 0 if it is the record's
	sourceID uint8  // beside lut
}

// The labels of types: those in the JSON of Aerospike's Connect for ESP, and labelUint,
// which ESP calls an int too.
const (
	labelNull    = "null"
	labelInt     = "int"
	labelUint    = "uint"
	labelFloat   = "float"
	labelString  = "str"
	labelBool    = "bool"
	labelBlob    = "blob"
	labelHLL     = "hll"
	labelList    = "list"
	labelMap     = "map"
	labelGeoJSON = "geojson"
)

func labelOf(kind change.Kind) string {
	switch kind {
	case change.KindNil:
		return labelNull
	case change.KindInteger:
		return labelInt
	case change.KindUnsigned:
		return labelUint
	case change.KindDouble:
		return labelFloat
	case change.KindString:
		return labelString
	case change.KindBool:
		return labelBool
	case change.KindHLL:
		return labelHLL
	case change.KindList:
		return labelList
	case change.KindMap:
		return labelMap
	case change.KindGeoJSON:
		return labelGeoJSON
	}
	return labelBlob
}

// of sets the cell to a bin.
func (c *cell) of(b *change.Bin) error {
	*c = cell{name: b.Name, v: b.Value, lut: b.LUT, sourceID: b.SourceID}
	if err := change.CheckLUT(c.lut); err != nil {
		return fmt.Errorf("bin %s: %w", c.name, err)
	}
	kind := c.v.Kind()
	switch {
	case !utf8.ValidString(c.name):
		return errors.New("the name of a bin is not UTF-8")
	case kind > math.MaxUint8 && kind != change.KindUnsigned:
		return fmt.Errorf("bin %s: a value of kind %s", c.name, kind)
	case kind == change.KindGeoJSON:
		if text := c.v.Bytes(); utf8.Valid(text) && json.Valid(text) {
			c.json = text
		}
	case kind.IsCollection():
		c.collection()
	}
	return nil
}

// collection sets the JSON of a list or map, if JSON can express it.
func (c *cell) collection() {
	text, err := jsonformat.AppendValue(nil, c.v)
	if err != nil {
		return // the column bytes has its packed form
	}
	c.json = text
	r := c.v.Elements()
	_, known := orderName(c.v)
	c.exact = known && exact(c.v, &r)
}

// particle returns Aerospike's number for the type of the value.
func (c *cell) particle() int32 {
	if c.v.Kind() == change.KindUnsigned {
		return int32(change.KindInteger)
	}
	return int32(c.v.Kind())
}

// text returns the value of the column string, and false if it is null.
func (c *cell) text() ([]byte, bool) {
	switch c.v.Kind() {
	case change.KindUnsigned:
		return strconv.AppendUint(nil, c.v.Unsigned(), 10), true
	case change.KindString:
		return c.v.Bytes(), utf8.Valid(c.v.Bytes())
	}
	return nil, false
}

// bytes returns the value of the column bytes, and false if it is null.
func (c *cell) bytes() ([]byte, bool) {
	switch c.v.Kind() {
	case change.KindNil, change.KindInteger, change.KindUnsigned, change.KindDouble, change.KindBool:
		return nil, false
	case change.KindString:
		return c.v.Bytes(), !utf8.Valid(c.v.Bytes())
	case change.KindGeoJSON:
		return c.v.Bytes(), c.json == nil
	case change.KindList, change.KindMap:
		return c.v.Packed(), !c.exact
	}
	return c.v.Bytes(), true
}

// order returns the value of the column order, "" if it is null.
func (c *cell) order() string {
	name, _ := orderName(c.v)
	return name
}

// orderName returns the name of a list's or map's order, "" if it has none, and false if
// its order has no name.
func orderName(v change.Value) (string, bool) {
	for _, o := range orders {
		if o.kind == v.Kind() && o.order == v.Order() {
			return o.name, true
		}
	}
	return "", !isOrdered(v)
}

var orders = []struct {
	kind  change.Kind
	order change.Order
	name  string
}{
	{change.KindList, change.Ordered, "ordered"},
	{change.KindMap, change.KeyOrdered, "key"},
	{change.KindMap, change.KeyValueOrdered, "key-value"},
}

// exact reports whether JSON expresses v, whose elements come from r, without loss: JSON
// has a type for each value in it, and inner lists and maps have no order.
func exact(v change.Value, r *change.Reader) bool {
	switch v.Kind() {
	case change.KindNil, change.KindBool, change.KindInteger, change.KindUnsigned:
		return true
	case change.KindDouble:
		return !math.IsNaN(v.Double()) && !math.IsInf(v.Double(), 0)
	case change.KindString:
		return utf8.Valid(v.Bytes())
	case change.KindList:
		return exactList(v, r)
	case change.KindMap:
		return exactMap(v, r)
	}
	return false
}

func exactList(v change.Value, r *change.Reader) bool {
	for range v.Len() {
		if e := r.Next(); isOrdered(e) || !exact(e, r) {
			return false
		}
	}
	return true
}

func isOrdered(v change.Value) bool { return v.Kind().IsCollection() && v.Order() != change.Unordered }

func exactMap(v change.Value, r *change.Reader) bool {
	for range v.Len() {
		if key := r.Next(); key.Kind() != change.KindString || !utf8.Valid(key.Bytes()) {
			return false
		}
		if e := r.Next(); isOrdered(e) || !exact(e, r) {
			return false
		}
	}
	return true
}
