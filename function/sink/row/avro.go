package row

import (
	"encoding/binary"
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// AppendAvro appends the row as one Avro datum of [Schema].
func AppendAvro(dst []byte, r *Row) []byte {
	c := &r.c
	dst = appendText(dst, c.Op.String())
	dst = appendOptionalText(dst, r.mode())
	dst = appendText(dst, c.Namespace)
	dst = appendOptionalText(dst, c.Set)
	if dst = appendKnown(dst, r.key.v.Kind() != change.KindNil); r.key.v.Kind() != change.KindNil {
		dst = r.key.appendScalars(dst)
	}
	dst = append(dst, c.Digest[:]...)
	dst = binary.AppendVarint(dst, int64(c.Digest.Partition()))
	dst = appendOptional(dst, int64(c.Generation), c.Generation > 0)
	dst = appendOptional(dst, c.LUT, c.LUT > 0)
	expires, known := r.expires()
	if dst = appendKnown(dst, known); known {
		dst = appendBool(dst, expires)
	}
	dst = appendOptional(dst, c.Expiry*1000, expires && known)
	dst = binary.AppendVarint(dst, int64(c.SourceID))
	dst = appendBool(dst, c.BinLUTs)
	return r.appendBins(dst)
}

// appendBins appends a map of one block.
func (r *Row) appendBins(dst []byte) []byte {
	if len(r.bins) > 0 {
		dst = binary.AppendVarint(dst, int64(len(r.bins)))
	}
	for i := range r.bins {
		b := &r.bins[i]
		dst = b.appendScalars(appendText(dst, b.name))
		isBool := b.v.Kind() == change.KindBool
		if dst = appendKnown(dst, isBool); isBool {
			dst = appendBool(dst, b.v.Bool())
		}
		dst = appendOptionalBytes(dst, b.json, b.json != nil)
		dst = appendOptionalText(dst, b.order())
		dst = appendOptional(dst, b.lut, b.lut > 0)
		dst = appendOptional(dst, int64(b.sourceID), b.lut > 0)
	}
	return append(dst, 0)
}

// appendScalars appends the fields that the record of a key and that of a bin both
// begin with.
func (c *cell) appendScalars(dst []byte) []byte {
	kind := c.v.Kind()
	dst = appendText(dst, labelOf(kind))
	dst = binary.AppendVarint(dst, int64(c.particle()))
	dst = appendOptional(dst, c.v.Integer(), kind == change.KindInteger)
	if dst = appendKnown(dst, kind == change.KindDouble); kind == change.KindDouble {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(c.v.Double()))
	}
	text, ok := c.text()
	dst = appendOptionalBytes(dst, text, ok)
	raw, ok := c.bytes()
	return appendOptionalBytes(dst, raw, ok)
}

// appendKnown appends the branch of a union of null and another type.
func appendKnown(dst []byte, known bool) []byte {
	if known {
		return append(dst, 2)
	}
	return append(dst, 0)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendVarint(dst, int64(len(s))), s...)
}

// appendOptionalText appends s, or null where it is "".
func appendOptionalText(dst []byte, s string) []byte {
	if s == "" {
		return appendKnown(dst, false)
	}
	return appendText(appendKnown(dst, true), s)
}

func appendOptional(dst []byte, i int64, known bool) []byte {
	if !known {
		return appendKnown(dst, false)
	}
	return binary.AppendVarint(appendKnown(dst, true), i)
}

func appendOptionalBytes(dst, b []byte, known bool) []byte {
	if !known {
		return appendKnown(dst, false)
	}
	return append(binary.AppendVarint(appendKnown(dst, true), int64(len(b))), b...)
}
