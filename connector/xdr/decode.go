package xdr

import (
	"encoding/binary"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// Decoder makes changes of frames. It keeps the names it has met, so that a
// stream of records of the same shape allocates nothing; a Decoder belongs to one
// goroutine.
type Decoder struct {
	limit int
	now   func() time.Time
	names change.Names
}

// NewDecoder returns a Decoder that inflates compressed messages up to limit (as
// in [NewReader]) and computes expiry times from now, the time of receipt:
// a message says only how many seconds are left.
func NewDecoder(limit int, now func() time.Time) *Decoder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Decoder{limit: limit, now: now, names: change.Names{}}
}

// Decode overwrites c with the change that f holds. Keys and values share f's
// memory, unless f is compressed. On error c is not to be used; the error is an
// *[Error], marked permanent.
func (d *Decoder) Decode(f Frame, c *change.Change) error {
	plain, err := Inflate(f, d.limit)
	if err != nil {
		return err
	}
	c.Reset()
	m := message{rest: plain[protoHeader:], at: protoHeader}
	h, err := m.header()
	if err != nil {
		return err
	}
	if err := d.describe(h, c); err != nil {
		return err
	}
	if err := d.fields(&m, h.fields, c); err != nil {
		return err
	}
	for range h.ops {
		if err := d.op(&m, c); err != nil {
			return err
		}
	}
	if len(m.rest) > 0 {
		return faulty(TrailingBytes, m.at, "%d bytes after the last op", len(m.rest))
	}
	return nil
}

// describe takes what the message header says of the change.
func (d *Decoder) describe(h header, c *change.Change) error {
	if h.info1&info1XDR == 0 {
		return faulty(NotXDR, protoHeader+1, "info1 is 0x%02x; is this an ordinary client?", h.info1)
	}
	c.Generation = h.generation
	switch {
	case h.info2&info2Delete != 0:
		c.Op = change.Delete
		if h.info2&info2Durable != 0 {
			c.Op = change.DurableDelete
		}
		return nil
	case h.info2&info2Write == 0:
		return faulty(NotWrite, protoHeader+2, "info2 is 0x%02x", h.info2)
	}
	c.BinLUTs = h.info2&info2Durable != 0
	c.Mode = change.Update
	if h.info3&info3Replace != 0 {
		c.Mode = change.Replace
	}
	c.Expiry = d.expiry(h.ttl)
	return nil
}

func (d *Decoder) expiry(ttl uint32) int64 {
	switch ttl {
	case ttlNever:
		return 0
	case ttlDefault, ttlDontUpdate:
		return change.ExpiryUnknown
	}
	return d.now().Unix() + int64(ttl)
}

func (d *Decoder) fields(m *message, n int, c *change.Change) error {
	const namespace, digest = 1, 2
	seen := 0
	for range n {
		id, data, at, err := m.field()
		if err != nil {
			return err
		}
		switch id {
		case fieldNamespace:
			c.Namespace = d.names.Of(data)
			seen |= namespace
		case fieldSet:
			c.Set = d.names.Of(data)
		case fieldDigest:
			if len(data) != len(c.Digest) {
				return faulty(BadDigestSize, at, "%d bytes, not %d", len(data), len(c.Digest))
			}
			copy(c.Digest[:], data)
			seen |= digest
		case fieldKey:
			if c.Key, err = key(data, at); err != nil {
				return err
			}
		case fieldLUT:
			if len(data) != lutBytes {
				return faulty(BadLUTSize, at, "%d bytes, not %d", len(data), lutBytes)
			}
			c.LUT, c.SourceID = lut(data)
		}
	}
	switch {
	case seen&namespace == 0:
		return faulty(MissingNamespace, m.at, "%d fields", n)
	case seen&digest == 0:
		return faulty(MissingDigest, m.at, "%d fields", n)
	}
	return nil
}

func (d *Decoder) op(m *message, c *change.Change) error {
	o, err := m.op()
	if err != nil {
		return err
	}
	if o.op != opWrite {
		return faulty(UnexpectedOp, o.at, "op %d, not %d", o.op, opWrite)
	}
	v, err := particle(change.Kind(o.particle), o.value)
	if err != nil {
		return faulty(BadParticle, o.at, "particle type %d: %v", o.particle, err)
	}
	b := change.Bin{Name: d.names.Of(o.name), Value: v}
	if o.lut != nil {
		b.LUT, b.SourceID = lut(o.lut)
	}
	c.Bins = append(c.Bins, b)
	return nil
}

// lut splits a last update time into Unix milliseconds and source id. A time of 0
// on Aerospike's clock is no time, and says nothing of a source.
func lut(b []byte) (ms int64, source uint8) {
	u := binary.BigEndian.Uint64(b)
	if u&lutMask == 0 {
		return 0, 0
	}
	return int64(u&lutMask) + citrusleafEpoch, uint8(u >> lutSource)
}
