package xdr

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// AppendMessage appends c to dst as an uncompressed frame, as a node ships it. The fields
// have the order of the captures. User key, LUT and set are left out if c has none. The ttl
// is the time from now to the expiry. A write of unknown mode is encoded as an update.
//
// If the protocol cannot express c, the error is permanent.
func AppendMessage(dst []byte, c *change.Change, now time.Time) ([]byte, error) {
	if err := expressible(c); err != nil {
		return nil, change.Permanent(fmt.Errorf("encode xdr message: %w", err))
	}
	start := len(dst)
	dst = appendProtoHeader(dst, typeMessage, 0)
	dst = appendMessageHeader(dst, c, now)
	dst = appendFields(dst, c)
	for i := range c.Bins {
		var err error
		if dst, err = appendOp(dst, &c.Bins[i]); err != nil {
			return nil, change.Permanent(fmt.Errorf("encode xdr message: bin %d: %w", i, err))
		}
	}
	size := len(dst) - start - protoHeader
	if size > MaxSize {
		return nil, change.Permanent(fmt.Errorf("encode xdr message: body of %d bytes, the limit of the server is %d", size, MaxSize))
	}
	appendProtoHeader(dst[:start], typeMessage, size)
	return dst, nil
}

// expressible returns an error if the protocol cannot express c, apart from its bins.
func expressible(c *change.Change) error {
	kind := c.Key.Kind()
	switch {
	case len(c.Bins) > math.MaxUint16:
		return fmt.Errorf("%d bins, at most %d are allowed", len(c.Bins), math.MaxUint16)
	case kind > math.MaxUint8 || notKey(kind) && kind != change.KindNil:
		return fmt.Errorf("%s cannot be a user key", kind)
	case c.LUT != 0 && uint64(c.LUT-citrusleafEpoch) > lutMask:
		return fmt.Errorf("last update time %d is not in milliseconds, or not from 2010 to 2044", c.LUT)
	}
	return nil
}

func appendProtoHeader(dst []byte, kind byte, size int) []byte {
	return binary.BigEndian.AppendUint64(dst, protoVersion<<56|uint64(kind)<<48|uint64(size))
}

func appendMessageHeader(dst []byte, c *change.Change, now time.Time) []byte {
	var h [messageHeader]byte
	h[0], h[1], h[2] = messageHeader, info1XDR, info2Write
	var ttl uint32
	switch c.Op {
	case change.Delete:
		h[2] |= info2Delete
	case change.DurableDelete:
		h[2] |= info2Delete | info2Durable
	default:
		if c.BinLUTs {
			h[2] |= info2Durable
		}
		if c.Mode == change.Replace {
			h[3] = info3Replace
		}
		ttl = timeToLive(c.Expiry, now)
	}
	binary.BigEndian.PutUint32(h[6:], c.Generation)
	binary.BigEndian.PutUint32(h[10:], ttl)
	binary.BigEndian.PutUint16(h[18:], countFields(c))
	binary.BigEndian.PutUint16(h[20:], uint16(len(c.Bins)))
	return append(dst, h[:]...)
}

// timeToLive returns the seconds until expiry, at least one: a ttl of 0 would mean the
// default of the namespace.
func timeToLive(expiry int64, now time.Time) uint32 {
	switch expiry {
	case 0:
		return ttlNever
	case change.ExpiryUnknown:
		return ttlDontUpdate
	}
	return uint32(min(max(expiry-now.Unix(), 1), ttlDontUpdate-1))
}

func countFields(c *change.Change) uint16 {
	n := uint16(2) // namespace and digest
	for _, present := range []bool{c.Set != "", c.Key.Kind() != change.KindNil, c.LUT != 0} {
		if present {
			n++
		}
	}
	return n
}

func appendFields(dst []byte, c *change.Change) []byte {
	dst = append(appendFieldHead(dst, fieldNamespace, len(c.Namespace)), c.Namespace...)
	dst = append(appendFieldHead(dst, fieldDigest, len(c.Digest)), c.Digest[:]...)
	if c.Set != "" {
		dst = append(appendFieldHead(dst, fieldSet, len(c.Set)), c.Set...)
	}
	if kind := c.Key.Kind(); kind != change.KindNil {
		at := len(dst)
		dst = append(appendFieldHead(dst, fieldKey, 0), byte(kind))
		dst = AppendParticle(dst, c.Key)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	if c.LUT != 0 {
		dst = appendLUT(appendFieldHead(dst, fieldLUT, lutBytes), c.LUT, c.SourceID)
	}
	return dst
}

func appendFieldHead(dst []byte, id byte, size int) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(size)+1), id)
}

func appendLUT(dst []byte, ms int64, source uint8) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(source)<<lutSource|uint64(ms-citrusleafEpoch)&lutMask)
}

func appendOp(dst []byte, b *change.Bin) ([]byte, error) {
	kind := b.Value.Kind()
	if len(b.Name) > math.MaxUint8 {
		return nil, fmt.Errorf("name of %d bytes, at most %d are allowed", len(b.Name), math.MaxUint8)
	}
	if kind > math.MaxUint8 {
		return nil, fmt.Errorf("%s is not the value of a bin", kind)
	}
	start := len(dst)
	flags := byte(0)
	if b.LUT != 0 {
		flags = opHasLUT
	}
	dst = append(dst, 0, 0, 0, 0, opWrite, byte(kind), flags, byte(len(b.Name)))
	dst = append(dst, b.Name...)
	if b.LUT != 0 {
		dst = appendLUT(dst, b.LUT, b.SourceID)
	}
	dst = AppendParticle(dst, b.Value)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// AppendParticle appends the bytes that follow the particle type of v in a bin or a user key. The
// kind of v is at most 255. Nil has no bytes.
func AppendParticle(dst []byte, v change.Value) []byte {
	switch v.Kind() {
	case change.KindNil:
		return dst
	case change.KindInteger:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Integer()))
	case change.KindDouble:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Double()))
	case change.KindBool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case change.KindList, change.KindMap:
		return append(dst, v.Packed()...)
	case change.KindGeoJSON:
		if particle, ok := v.GeoJSONParticle(); ok {
			return append(dst, particle...)
		}
		return append(append(dst, 0, 0, 0), v.Bytes()...) // no flags and no cells: the server computes them
	}
	return append(dst, v.Bytes()...)
}
