package xdr

import (
	"encoding/binary"

	"github.com/aerosink/aerosink/connector/plural"
)

// message reads a plain message: the header, then fields, then ops.
type message struct {
	rest []byte
	at   int // offset of rest in the frame
}

type header struct {
	info1, info2, info3 byte
	generation, ttl     uint32
	fields, ops         int
}

func (m *message) header() (header, error) {
	b := m.rest
	if len(b) < messageHeader {
		return header{}, errorAt(ShortBody, m.at, "%s; the header alone has %d", plural.Of(len(b), "byte"), messageHeader)
	}
	if b[0] != messageHeader {
		return header{}, errorAt(BadHeaderSize, m.at, "%d, want %d", b[0], messageHeader)
	}
	m.skip(messageHeader)
	return header{
		info1:      b[1],
		info2:      b[2],
		info3:      b[3],
		generation: binary.BigEndian.Uint32(b[6:]),
		ttl:        binary.BigEndian.Uint32(b[10:]),
		fields:     int(binary.BigEndian.Uint16(b[18:])),
		ops:        int(binary.BigEndian.Uint16(b[20:])),
	}, nil
}

// field returns the type and data of the next field, and the offset of the data.
func (m *message) field() (id byte, data []byte, at int, err error) {
	const length, head = 4, 5
	if len(m.rest) < head {
		return 0, nil, 0, errorAt(TruncatedField, m.at, "%s left; a field begins with %d", plural.Of(len(m.rest), "byte"), head)
	}
	size := binary.BigEndian.Uint32(m.rest)
	if size == 0 {
		return 0, nil, 0, errorAt(ZeroFieldSize, m.at, "size 0; a field has at least a type")
	}
	if uint64(size) > uint64(len(m.rest)-length) {
		return 0, nil, 0, errorAt(FieldOverrunsBody, m.at, "size %d, %s left", size, plural.Of(len(m.rest)-length, "byte"))
	}
	end := length + int(size)
	id, data, at = m.rest[length], m.rest[head:end:end], m.at+head
	m.skip(end)
	return id, data, at, nil
}

type op struct {
	op, particle byte
	name         []byte
	lut          []byte // nil if the op has none
	value        []byte
	at           int // offset of the op in the frame
}

// op reads the next op into o.
func (m *message) op(o *op) error {
	const length, head = 4, 4 + opHeader
	if len(m.rest) < head {
		return errorAt(TruncatedOp, m.at, "%s left; an op begins with %d", plural.Of(len(m.rest), "byte"), head)
	}
	size := binary.BigEndian.Uint32(m.rest)
	if size < opHeader || uint64(size) > uint64(len(m.rest)-length) {
		return errorAt(OpOverrunsBody, m.at, "size %d, %s left, at least %d", size, plural.Of(len(m.rest)-length, "byte"), opHeader)
	}
	end := length + int(size)
	b := m.rest[length:end:end]
	o.op, o.particle, o.at = b[0], b[1], m.at
	flags, nameLen := b[2], int(b[3])
	b = b[opHeader:]
	if nameLen > len(b) {
		return errorAt(OpNameOverrunsOp, m.at, "name of %s, %d left in the op", plural.Of(nameLen, "byte"), len(b))
	}
	o.name, b = b[:nameLen:nameLen], b[nameLen:]
	if flags&opHasLUT != 0 {
		if len(b) < lutBytes {
			return errorAt(OpLUTOverrunsOp, m.at, "%s left in the op, a LUT has %d", plural.Of(len(b), "byte"), lutBytes)
		}
		o.lut, b = b[:lutBytes:lutBytes], b[lutBytes:]
	}
	o.value = b
	m.skip(end)
	return nil
}

// offsetOfOp returns the offset of op n. The message is valid.
func (m message) offsetOfOp(n int) int {
	for range n {
		m.skip(4 + int(binary.BigEndian.Uint32(m.rest)))
	}
	return m.at
}

func (m *message) skip(n int) {
	m.rest = m.rest[n:]
	m.at += n
}
