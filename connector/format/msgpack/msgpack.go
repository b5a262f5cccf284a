// Package msgpack reads and writes changes as MessagePack: [Format] writes, and [Parse]
// reads with a reader, one change after another.
package msgpack

import (
	"encoding/binary"
	"math"

	"github.com/tinylib/msgp/msgp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Format is the format in which a change is an array of the version, the type (1 for a
// write, 2 for a delete) and the content:
//
//	[1, 1, [key, generation, expiry, lut, [[name, particle type, flags, value], …]]]
//	[1, 2, [key, flags]]
//	key: [namespace, set, digest, user key]
//
// What is unknown or absent is nil. A delete does not have its generation and last update
// time. The flags of a list or map are its order; those of a delete are 1 if it is
// durable. Values are plain MessagePack: a string is a str, whatever its bytes; blobs of
// every kind, HLLs and particles of an unknown type are bin; GeoJSON is a str. Inside
// lists and maps, where values have no particle type of their own, GeoJSON and all bytes
// except those of a plain blob are extensions whose type is the particle type. Only the
// order of a list or map inside another is lost. Map keys keep their types.
//
// A batch is one change after another.
type Format struct{}

const (
	formatVersion  = 1
	typeWrite      = 1
	typeDelete     = 2
	flagDurable    = 1
	changeElements = 3
)

// Name is the name of the format.
const Name = "message-pack"

// Name returns "message-pack".
func (Format) Name() string { return Name }

// Append implements [format.Format]. It never fails.
func (Format) Append(dst []byte, c *change.Change) ([]byte, error) {
	dst = msgp.AppendArrayHeader(dst, changeElements)
	dst = msgp.AppendInt(dst, formatVersion)
	if c.Op.IsDelete() {
		dst = msgp.AppendInt(dst, typeDelete)
		dst = msgp.AppendArrayHeader(dst, 2)
		dst = appendKey(dst, c)
		if c.Op == change.DurableDelete {
			return msgp.AppendInt(dst, flagDurable), nil
		}
		return msgp.AppendInt(dst, 0), nil
	}
	dst = msgp.AppendInt(dst, typeWrite)
	dst = msgp.AppendArrayHeader(dst, 5)
	dst = appendKey(dst, c)
	dst = appendIntOrNil(dst, int64(c.Generation), 0)
	dst = appendIntOrNil(dst, c.Expiry, change.ExpiryUnknown)
	dst = appendIntOrNil(dst, c.LUT, 0)
	dst = msgp.AppendArrayHeader(dst, uint32(len(c.Bins)))
	for i := range c.Bins {
		b := &c.Bins[i]
		dst = msgp.AppendArrayHeader(dst, 4)
		dst = msgp.AppendString(dst, b.Name)
		dst = msgp.AppendInt(dst, particleType(b.Value.Kind()))
		dst = msgp.AppendInt(dst, flags(b.Value))
		r := b.Value.Elements()
		dst = appendValue(dst, b.Value, &r, true)
	}
	return dst, nil
}

// Seal implements [format.Format].
func (Format) Seal(records []byte, _ int) ([]byte, string) {
	return records, format.MediaMessagePack
}

// particleType returns the particle type of a bin's value.
func particleType(kind change.Kind) int {
	if kind == change.KindUnsigned {
		return int(change.KindInteger)
	}
	return int(kind)
}

// flags returns the flags of a bin's value.
func flags(v change.Value) int {
	if v.Kind().IsCollection() {
		return int(v.Order())
	}
	return 0
}

func appendKey(dst []byte, c *change.Change) []byte {
	dst = msgp.AppendArrayHeader(dst, 4)
	dst = msgp.AppendString(dst, c.Namespace)
	if c.Set == "" {
		dst = msgp.AppendNil(dst)
	} else {
		dst = msgp.AppendString(dst, c.Set)
	}
	dst = msgp.AppendBytes(dst, c.Digest[:])
	return appendValue(dst, c.Key, nil, true)
}

func appendIntOrNil(dst []byte, n, unknown int64) []byte {
	if n == unknown {
		return msgp.AppendNil(dst)
	}
	return msgp.AppendInt64(dst, n)
}

// appendValue appends v; the elements of a collection come from r. Outside a list or map,
// the particle type precedes the value.
func appendValue(dst []byte, v change.Value, r *change.Reader, outside bool) []byte {
	switch kind := v.Kind(); kind {
	case change.KindNil:
		return msgp.AppendNil(dst)
	case change.KindInteger:
		return msgp.AppendInt64(dst, v.Integer())
	case change.KindUnsigned:
		return msgp.AppendUint64(dst, v.Unsigned())
	case change.KindDouble:
		return msgp.AppendFloat64(dst, v.Double())
	case change.KindBool:
		return msgp.AppendBool(dst, v.Bool())
	case change.KindString:
		return msgp.AppendStringFromBytes(dst, v.Bytes())
	case change.KindOpaque: // already an extension
		return append(dst, v.Bytes()...)
	case change.KindList:
		dst = msgp.AppendArrayHeader(dst, uint32(v.Len()))
		for range v.Len() {
			dst = appendValue(dst, r.Next(), r, false)
		}
		return dst
	case change.KindMap:
		dst = msgp.AppendMapHeader(dst, uint32(v.Len()))
		for range v.Len() {
			dst = appendValue(dst, r.Next(), r, false)
			dst = appendValue(dst, r.Next(), r, false)
		}
		return dst
	case change.KindGeoJSON:
		if outside {
			return msgp.AppendStringFromBytes(dst, v.Bytes())
		}
		return appendExtension(dst, kind, v.Bytes())
	default:
		if outside || kind == change.KindBlob {
			return msgp.AppendBytes(dst, v.Bytes())
		}
		return appendExtension(dst, kind, v.Bytes())
	}
}

// appendExtension appends an extension object (github.com/msgpack/msgpack,
// spec.md, "ext format family").
func appendExtension(dst []byte, kind change.Kind, content []byte) []byte {
	switch n := len(content); {
	case n == 1:
		dst = append(dst, 0xd4)
	case n == 2:
		dst = append(dst, 0xd5)
	case n == 4:
		dst = append(dst, 0xd6)
	case n == 8:
		dst = append(dst, 0xd7)
	case n == 16:
		dst = append(dst, 0xd8)
	case n <= math.MaxUint8:
		dst = append(dst, 0xc7, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc8), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc9), uint32(n))
	}
	return append(append(dst, byte(kind)), content...)
}
