package json

import (
	"encoding/base64"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// typedBins reads the member "bins" of [Format].
func (r *jsonReader) typedBins(bins []byte, c *change.Change) error {
	if bins[0] != '[' {
		return r.fault(bins, `"bins" is no array`)
	}
	for elements := into(bins); ; {
		e, ok := elements.element()
		if !ok {
			return nil
		}
		if e[0] != '{' {
			return r.fault(e, "a bin is no object")
		}
		b, err := r.typedBin(e, len(c.Bins))
		if err != nil {
			return err
		}
		c.Bins = append(c.Bins, b)
	}
}

func (r *jsonReader) typedBin(object []byte, i int) (change.Bin, error) {
	var name, label, value []byte
	order := change.Unordered
	for members := into(object); ; {
		n, v, ok := members.member()
		if !ok {
			break
		}
		switch {
		case is(n, "name"):
			name = v
		case is(n, "type"):
			label = v
		case is(n, "value"):
			value = v
		case is(n, "ordered") && string(v) == "true":
			order = change.Ordered
		case is(n, "order") && v[0] == '"':
			order = orders[string(unquote(v))]
		}
	}
	if name == nil || name[0] != '"' || value == nil || label == nil || label[0] != '"' {
		return change.Bin{}, r.fault(object, `a bin needs "name" and "type", which are strings, and "value"`)
	}
	v, err := r.typed(string(unquote(label)), value, order)
	if err != nil {
		return change.Bin{}, err
	}
	return change.Bin{Name: r.names.Of(unquote(name), format.SlotBins+i), Value: v}, nil
}

var orders = map[string]change.Order{"key": change.KeyOrdered, "key-value": change.KeyValueOrdered}

// typed reads the value of a bin whose type is known by label. A label that is
// not here is of a newer sender: the value is taken for what it looks like.
func (r *jsonReader) typed(label string, value []byte, order change.Order) (change.Value, error) {
	switch label {
	case "blob":
		return r.base64(change.KindBlob, value)
	case "hll":
		return r.base64(change.KindHLL, value)
	case "float":
		return r.float(value)
	case "list":
		return r.expect(value[0] == '[', value, order)
	case "map":
		return r.expect(value[0] == '{', value, order)
	case "str":
		return r.expect(value[0] == '"', value, order)
	case "bool":
		return r.expect(value[0] == 't' || value[0] == 'f', value, order)
	case "null":
		return r.expect(value[0] == 'n', value, order)
	case "int":
		v, err := r.untyped("a bin", value, order)
		if err == nil && v.Kind() != change.KindInteger && v.Kind() != change.KindUnsigned {
			return r.expect(false, value, order)
		}
		return v, err
	case "geojson":
		if value[0] == '{' {
			return change.GeoJSONValue(value[:len(value):len(value)]), nil
		}
		return r.expect(false, value, order)
	}
	return r.untyped("a bin", value, order)
}

// expect reads the value when it is what its bin's type says.
func (r *jsonReader) expect(fits bool, value []byte, order change.Order) (change.Value, error) {
	if !fits {
		return change.Value{}, r.fault(value, "the value does not fit its bin's type")
	}
	return r.untyped("a bin", value, order)
}

func (r *jsonReader) base64(kind change.Kind, value []byte) (change.Value, error) {
	if value[0] != '"' {
		return r.expect(false, value, change.Unordered)
	}
	b, err := base64.StdEncoding.AppendDecode(nil, unquote(value))
	if err != nil {
		return change.Value{}, r.fault(value, "the value is not Base64")
	}
	return change.BytesValue(kind, b), nil
}

// float reads a double, which an integer may stand for, and the three that JSON
// has no number for.
func (r *jsonReader) float(value []byte) (change.Value, error) {
	text := string(value)
	if value[0] == '"' {
		switch text = string(unquote(value)); text {
		case "NaN", "Infinity", "-Infinity":
		default:
			return change.Value{}, r.fault(value, "the value does not fit its bin's type")
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return change.Value{}, r.fault(value, "the value is no double")
	}
	return change.DoubleValue(f), nil
}

// flatBins reads every member of the object but the metadata.
func (r *jsonReader) flatBins(metadata []byte, c *change.Change) error {
	for members := into(r.object); ; {
		name, value, ok := members.member()
		if !ok {
			return nil
		}
		if &value[0] == &metadata[0] {
			continue
		}
		v, err := r.untyped("a bin", value, change.Unordered)
		if err != nil {
			return err
		}
		c.Bins = append(c.Bins, change.Bin{Name: r.names.Of(unquote(name), format.SlotBins+len(c.Bins)), Value: v})
	}
}
