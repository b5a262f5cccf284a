package xdr

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
)

// Decoder decodes frames to changes. It keeps names, so that a stream of similar records
// allocates nothing. It is not safe for concurrent use.
type Decoder struct {
	limit int
	now   func() time.Time
	names *change.Names
}

// NewDecoder returns a Decoder. It decompresses messages up to limit, as in [NewReader]. It
// computes expiry times from now, the time of receipt, since a message has only the seconds
// that are left.
func NewDecoder(limit int, now func() time.Time) *Decoder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Decoder{limit: limit, now: now, names: new(change.Names)}
}

// UseNames makes d keep names in n.
func (d *Decoder) UseNames(n *change.Names) { d.names = n }

// Decode overwrites c with the change in f. Key and values share the memory of f, unless f is
// compressed. An error is a permanent *[Error]; c is invalid then.
func (d *Decoder) Decode(f Frame, c *change.Change) error {
	bins, err := d.Metadata(f, c)
	if err != nil {
		return err
	}
	return d.Bins(bins, c)
}

// Bins are the bins of a message whose metadata is decoded.
type Bins struct {
	plain Frame
	rest  message
	n     int
}

// Plain returns the whole message, decompressed.
func (b *Bins) Plain() Frame { return b.plain }

// Metadata is the first half of Decode: it decodes all but the bins, and returns those. That
// is enough for a change that is passed on in its frame.
func (d *Decoder) Metadata(f Frame, c *change.Change) (Bins, error) {
	plain, _, err := Inflate(f, d.limit)
	if err != nil {
		return Bins{}, err
	}
	c.Reset()
	b := Bins{plain: plain, rest: message{rest: plain[protoHeader:], at: protoHeader}}
	h, err := b.rest.header()
	if err != nil {
		return Bins{}, err
	}
	b.n = h.ops
	if err := d.describe(h, c); err != nil {
		return Bins{}, err
	}
	return b, d.fields(&b.rest, h.fields, c)
}

// Identify overwrites c with what identifies the change in f: namespace, set, digest and LUT.
// The message may be malformed, or f only its beginning, as from [Reader.Skipped]: Identify
// reads as many fields as it can. It returns an error unless namespace and digest are among
// them.
func (d *Decoder) Identify(f Frame, c *change.Change) error {
	c.Reset()
	plain := f
	if f.Compressed() {
		plain = inflateHead(f)
	}
	m := message{rest: plain[min(len(plain), protoHeader):], at: protoHeader}
	h, err := m.header()
	if err != nil {
		return err
	}
	var seen seenFields
	for range h.fields {
		id, data, at, err := m.field()
		if err != nil { // f ends here
			break
		}
		if d.field(id, data, at, c) == nil {
			seen |= 1 << id
		}
	}
	return seen.check(m.at, h.fields)
}

// Bins is the second half of Decode.
func (d *Decoder) Bins(b Bins, c *change.Change) error {
	first := b.rest
	for i := range b.n {
		c.Bins = append(c.Bins, change.Bin{})
		if err := d.bin(&b.rest, i, &c.Bins[i]); err != nil {
			return err
		}
	}
	if len(b.rest.rest) > 0 {
		return errorAt(TrailingBytes, b.rest.at, "%s after the last op", plural.Of(len(b.rest.rest), "byte"))
	}
	if i := d.names.DuplicateBin(c.Bins); i >= 0 {
		return errorAt(DuplicateBin, first.offsetOfOp(i), "two bins are named %q", c.Bins[i].Name)
	}
	return nil
}

// describe sets the fields of c that are in the message header.
func (d *Decoder) describe(h header, c *change.Change) error {
	if h.info1&info1XDR == 0 {
		return errorAt(NotXDR, protoHeader+1, "info1 is 0x%02x; is this an ordinary client?", h.info1)
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
		return errorAt(NotWrite, protoHeader+2, "info2 is 0x%02x", h.info2)
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
	var seen seenFields
	for range n {
		id, data, at, err := m.field()
		if err != nil {
			return err
		}
		if err := d.field(id, data, at, c); err != nil {
			return err
		}
		seen |= 1 << id
	}
	return seen.check(m.at, n)
}

// seenFields has a bit for each type of field.
type seenFields uint64

// check returns an error if a field is missing that a message of n fields must have.
func (seen seenFields) check(at, n int) error {
	switch {
	case seen&(1<<fieldNamespace) == 0:
		return errorAt(MissingNamespace, at, "%s", plural.Of(n, "field"))
	case seen&(1<<fieldDigest) == 0:
		return errorAt(MissingDigest, at, "%s", plural.Of(n, "field"))
	}
	return nil
}

func (d *Decoder) field(id byte, data []byte, at int, c *change.Change) error {
	switch id {
	case fieldNamespace:
		if len(data) > longestNamespace {
			return errorAt(NameTooLong, at, "namespace of %d bytes, at most %d are allowed", len(data), longestNamespace)
		}
		c.Namespace = d.names.Of(data, change.SlotNamespace)
	case fieldSet:
		if len(data) > longestSet {
			return errorAt(NameTooLong, at, "set of %d bytes, at most %d are allowed", len(data), longestSet)
		}
		c.Set = d.names.Of(data, change.SlotSet)
	case fieldDigest:
		if len(data) != len(c.Digest) {
			return errorAt(BadDigestSize, at, "%s, want %d", plural.Of(len(data), "byte"), len(c.Digest))
		}
		copy(c.Digest[:], data)
	case fieldKey:
		return key(&c.Key, data, at)
	case fieldLUT:
		if len(data) != lutBytes {
			return errorAt(BadLUTSize, at, "%s, want %d", plural.Of(len(data), "byte"), lutBytes)
		}
		c.LUT, c.SourceID = lut(data)
	}
	return nil
}

// bin decodes op i to b.
func (d *Decoder) bin(m *message, i int, b *change.Bin) error {
	var o op
	if err := m.op(&o); err != nil {
		return err
	}
	if o.op != opWrite {
		return errorAt(UnexpectedOp, o.at, "op %d, want %d", o.op, opWrite)
	}
	if err := particle(&b.Value, change.Kind(o.particle), o.value); errors.Is(err, change.ErrDepth) {
		return errorAt(TooDeep, o.at, "particle type %d: %v", o.particle, err)
	} else if err != nil {
		return errorAt(BadParticle, o.at, "particle type %d: %v", o.particle, err)
	}
	b.Name = d.names.Of(o.name, change.SlotBins+i)
	if o.lut != nil {
		b.LUT, b.SourceID = lut(o.lut)
	}
	return nil
}

// lut splits a last update time into Unix milliseconds and source id. The time 0 of
// Aerospike's clock means no time and no source.
func lut(b []byte) (ms int64, source uint8) {
	u := binary.BigEndian.Uint64(b)
	if u&lutMask == 0 {
		return 0, 0
	}
	return int64(u&lutMask) + citrusleafEpoch, uint8(u >> lutSource)
}
