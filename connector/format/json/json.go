// Package json reads and writes changes as JSON: [Format], in which each bin has its
// type, and [Flat], in which the bins are plain members of an object.
//
// Append writes a change with a writer. Parse and ParseLines read a body:
//
//  1. the decoder checks the syntax and returns one JSON object after another;
//  2. parseObject tells JSON from flat JSON by the metadata member;
//  3. a reader fills in the change, going through the object with a cursor, and reads
//     the bins only if they are asked for.
package json

import (
	"encoding/base64"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Format is the format in which each bin has its type:
//
//	{"msg":"write","key":["ns","set","ZGlnZXN0…",10],"gen":1,"exp":0,"lut":1734388704784,
//	 "bins":[{"name":"age","type":"int","value":27}]}
//	{"msg":"delete","key":["ns",null,"ZGlnZXN0…",null],"gen":2,"lut":1734388731220,"durable":false}
//
// What JSON cannot express is written as follows:
//
//   - NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity";
//   - bytes of a string that are not UTF-8 as U+FFFD, as the Java virtual machine
//     does; in a name, which must not change, they are an error;
//   - blobs of every kind, HLLs and particles of an unknown type in Base64;
//   - a deleted bin as type "null", value null;
//   - map keys that are numbers, bools or blobs as strings, see StringifyMapKeys;
//     any other key that is not a string is an error, and so are two keys that would
//     become the same string.
//
// A string, a blob, and GeoJSON inside a list or map cannot be told apart when
// they are read back, and the order of such a list or map is lost. A batch has one
// change per line.
type Format struct {
	// StringifyMapKeys turns the integer, double, bool and blob keys of maps into
	// strings; without it they are an error. ESP converts only the numbers.
	StringifyMapKeys bool
}

// Name is the name of the format [Format].
const Name = "json"

// Name returns "json".
func (Format) Name() string { return Name }

// Append implements [format.Format].
func (f Format) Append(dst []byte, c *change.Change) ([]byte, error) {
	start := len(dst)
	dst = append(dst, `{"msg":"`...)
	dst = append(dst, format.Msg(c.Op)...)
	dst = append(dst, `","key":[`...)
	w := writer{format: f.Name(), stringify: f.StringifyMapKeys, dst: dst}
	w.name("namespace", c.Namespace)
	w.dst = append(w.dst, ',')
	if c.Set == "" {
		w.dst = append(w.dst, "null"...)
	} else {
		w.name("set", c.Set)
	}
	w.dst = appendDigest(append(w.dst, ','), c.Digest)
	w.dst = append(w.dst, ',')
	w.value("user key", c.Key, nil)
	w.dst = append(w.dst, ']')
	if c.Op.IsDelete() {
		w.dst = appendKnown(w.dst, `,"gen":`, int64(c.Generation), 0)
		w.dst = appendKnown(w.dst, `,"lut":`, c.LUT, 0)
		w.dst = strconv.AppendBool(append(w.dst, `,"durable":`...), c.Op == change.DurableDelete)
	} else {
		w.dst = appendOrNull(append(w.dst, `,"gen":`...), int64(c.Generation), 0)
		w.dst = appendOrNull(append(w.dst, `,"exp":`...), c.Expiry, change.ExpiryUnknown)
		w.dst = appendOrNull(append(w.dst, `,"lut":`...), c.LUT, 0)
		w.bins(c.Bins)
	}
	w.dst = append(w.dst, '}', '\n')
	if w.err != nil {
		return w.dst[:start], w.err
	}
	return w.dst, nil
}

// Seal implements [format.Format].
func (Format) Seal(records []byte, n int) ([]byte, string) { return sealLines(records, n) }

// typeLabel returns the member "type" of a bin.
func typeLabel(kind change.Kind) string {
	switch kind {
	case change.KindNil:
		return "null"
	case change.KindInteger, change.KindUnsigned:
		return "int"
	case change.KindDouble:
		return "float"
	case change.KindString:
		return "str"
	case change.KindBool:
		return "bool"
	case change.KindHLL:
		return "hll"
	case change.KindList:
		return "list"
	case change.KindMap:
		return "map"
	case change.KindGeoJSON:
		return "geojson"
	}
	return "blob"
}

// appendOrder appends the order of a list or map, after the bin's value.
func appendOrder(dst []byte, v change.Value) []byte {
	switch v.Kind() {
	case change.KindList:
		return strconv.AppendBool(append(dst, `,"ordered":`...), v.Order() != change.Unordered)
	case change.KindMap:
		switch v.Order() {
		case change.KeyOrdered:
			return append(dst, `,"order":"key"`...)
		case change.KeyValueOrdered:
			return append(dst, `,"order":"key-value"`...)
		}
	}
	return dst
}

func appendDigest(dst []byte, d change.Digest) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), d[:])
	return append(dst, '"')
}

// appendKnown appends member and n, or nothing if n is unknown.
func appendKnown(dst []byte, member string, n, unknown int64) []byte {
	if n == unknown {
		return dst
	}
	return strconv.AppendInt(append(dst, member...), n, 10)
}

func appendOrNull(dst []byte, n, unknown int64) []byte {
	if n == unknown {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, n, 10)
}

// sealLines returns a body of newline-delimited JSON, or of one JSON object.
func sealLines(records []byte, n int) ([]byte, string) {
	if n == 1 {
		return records[:len(records)-1], format.MediaJSON
	}
	return records, format.MediaNDJSON
}
