package change

import (
	"encoding/binary"
	"math"
	"slices"
)

// Packer builds a list or map in the packed form that [Reader] reads: call Open, add the
// elements, call Close, then [Packer.Value]. The zero value is ready to use.
type Packer struct {
	buf  []byte
	open []mark
	gaps []gap
}

// mark is an open collection: where its header goes, and how many values it has so far.
type mark struct {
	at    int
	count uint64
	kind  Kind
}

// gap is unused space in front of a header.
type gap struct{ at, size int }

// maxMoved is the size, in bytes, up to which the content of a collection is moved to close
// the gap. Larger gaps stay until everything is packed, since the content of nested
// collections would be moved once for each of them.
const maxMoved = 64

// headerRoom is the space for the header of a collection until its length is known: the size
// of the longest header.
const headerRoom = 5

// Open begins a list or map. The values added before the matching Close are its elements, or
// its keys and values in turn.
func (p *Packer) Open(kind Kind, order Order) {
	p.added()
	p.open = append(p.open, mark{at: len(p.buf), kind: kind})
	p.buf = append(p.buf, make([]byte, headerRoom)...)
	if order != Unordered {
		p.mark(order)
	}
}

// mark adds the order of the collection that was opened last.
func (p *Packer) mark(order Order) {
	p.buf = append(p.buf, 0xc7, 0, byte(order))
	p.added()
	if p.open[len(p.open)-1].kind == KindMap {
		p.buf = append(p.buf, 0xc0)
		p.added()
	}
}

// Close ends the collection that was opened last.
func (p *Packer) Close() {
	m := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	var header [headerRoom]byte
	n := m.count
	if m.kind == KindMap {
		n /= 2 // pairs
	}
	h := AppendHead(header[:0], m.kind, n)
	spare := headerRoom - len(h)
	if len(p.buf)-m.at-headerRoom > maxMoved {
		copy(p.buf[m.at+spare:], h)
		p.gaps = append(p.gaps, gap{m.at, spare})
		return
	}
	body := copy(p.buf[m.at+len(h):], p.buf[m.at+headerRoom:])
	copy(p.buf[m.at:], h)
	p.buf = p.buf[:m.at+len(h)+body]
}

// packed returns the packed bytes, without the gaps.
func (p *Packer) packed() []byte {
	slices.SortFunc(p.gaps, func(a, b gap) int { return a.at - b.at })
	end := len(p.buf)
	if len(p.gaps) > 0 {
		end = p.gaps[0].at
	}
	for i, g := range p.gaps {
		next := len(p.buf)
		if i+1 < len(p.gaps) {
			next = p.gaps[i+1].at
		}
		end += copy(p.buf[end:], p.buf[g.at+g.size:next])
	}
	return p.buf[:end]
}

// Add adds a value that is not a collection.
func (p *Packer) Add(v Value) {
	if n := len(p.open); v.kind == KindOpaque && n > 0 && p.open[n-1].count == 0 {
		p.mark(Unordered) // else a leading extension would be taken for the order
	}
	p.added()
	switch v.kind {
	case KindNil:
		p.buf = append(p.buf, 0xc0)
	case KindBool:
		p.buf = append(p.buf, 0xc2+byte(v.num))
	case KindInteger:
		p.buf = AppendInteger(p.buf, v.Integer())
	case KindUnsigned:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcf), v.num)
	case KindDouble:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcb), v.num)
	case KindOpaque:
		p.buf = append(p.buf, v.raw...)
	default:
		content := v.Bytes()
		p.buf = AppendTextHead(p.buf, uint64(len(content))+1)
		p.buf = append(append(p.buf, byte(v.kind)), content...)
	}
}

// Value returns the list or map, and resets p for the next one. The value owns its bytes.
// The error is [ErrDepth] if it nests deeper than [MaxDepth].
func (p *Packer) Value(kind Kind) (Value, error) {
	packed := p.packed()
	*p = Packer{open: p.open[:0], gaps: p.gaps[:0]}
	return collection(kind, packed)
}

func (p *Packer) added() {
	if n := len(p.open); n > 0 {
		p.open[n-1].count++
	}
}

// AppendHead appends the shortest head of a packed list with n elements, or map with n pairs.
func AppendHead(b []byte, kind Kind, n uint64) []byte {
	short, long := byte(0x90), byte(0xdc)
	if kind == KindMap {
		short, long = 0x80, 0xde
	}
	switch {
	case n < 16:
		return append(b, short|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, long), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, long+1), uint32(n))
}

// AppendTextHead appends the shortest head of a packed string, blob or GeoJSON of n bytes, of
// which the first is the particle type.
func AppendTextHead(b []byte, n uint64) []byte {
	switch {
	case n < 32:
		return append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
}

// AppendInteger appends the shortest packed form of v.
func AppendInteger(b []byte, v int64) []byte {
	switch {
	case v >= -32 && v <= math.MaxInt8:
		return append(b, byte(v))
	case v < math.MinInt32:
		return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
	case v < math.MinInt16:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(v))
	case v < math.MinInt8:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(v))
	case v < 0:
		return append(b, 0xd0, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(v))
}
