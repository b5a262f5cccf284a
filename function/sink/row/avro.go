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
		dst = appendScalars(dst, &r.key)
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
	return appendBins(dst, r.bins)
}

// appendBins appends the bins as a map of one block.
func appendBins(dst []byte, bins []cell) []byte {
	if len(bins) > 0 {
		dst = binary.AppendVarint(dst, int64(len(bins)))
	}
	for i := range bins {
		b := &bins[i]
		dst = appendScalars(appendText(dst, b.name), b)
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

// appendScalars appends the fields that the records of a key and of a bin begin with.
func appendScalars(dst []byte, c *cell) []byte {
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

// appendKnown appends the branch of a union of null and another type: null if known is false.
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

// appendOptionalText appends s, or null if it is "".
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
