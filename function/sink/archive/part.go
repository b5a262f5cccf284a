package archive

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// part is what one Put brings for one folder: changes in the order of the batch.
type part struct {
	key      key
	folder   string
	encoding *encoding

	changes []int // in the batch
	size    int64 // bytes, uncompressed
	span    span
	undated bool // a change says neither its time nor its generation

	lines  []byte    // nil once they are packed
	packed []byte    // lines, compressed
	rows   []row.Row // they share the memory of the batch

	hash        hash.Hash // until the key is there
	head, datum []byte
}

// key says what a part holds and in which folder: the same changes of one request
// have the same key when they come again. It is made of their bytes as they came,
// for of what is written a bit may differ: the expiry of a record that came over XDR
// is counted from its receipt.
//
// Where a change says neither its time nor its generation, as deletes of ESP may, the
// same bytes may be another change, and a key is like no other. Only where objects
// are not shared does it stay, for replay to make the same objects each time.
type key [sha256.Size]byte

// span is from the first to the last update time that is known, in Unix
// milliseconds. The zero span knows none.
type span struct{ first, last int64 }

func (s *span) add(o span) {
	if o.first > 0 && (s.first == 0 || o.first < s.first) {
		s.first = o.first
	}
	s.last = max(s.last, o.last)
}

// partition sorts the changes into parts. A change that the encoding has no form for
// is in none, and has its verdict.
func (s *settings) partition(b sink.Batch) (parts []*part, verdicts sink.Verdicts) {
	byFolder := map[string]*part{}
	var folder []byte
	var at place
	for i := range b.Changes {
		parsed := &b.Changes[i]
		encoding := s.changes
		at.c, at.time = &parsed.Change, parsed.Change.LUT
		var letter *sink.DeadLetter
		if b.DeadLetters != nil {
			letter = &b.DeadLetters[i]
			encoding, at.time = s.letters, letter.Received.UnixMilli()
		}
		var err error
		if folder, err = s.folderOf(folder[:0], &at, letter); err != nil {
			verdicts.Set(len(b.Changes), i, fmt.Errorf("archive in %s: %w", s.url, err))
			continue
		}
		p := byFolder[string(folder)]
		if p == nil {
			p = newPart(string(folder), encoding)
			byFolder[p.folder] = p
		}
		if err := p.add(parsed, letter); err != nil {
			verdicts.Set(len(b.Changes), i, fmt.Errorf("archive in %s: %w", s.url, err))
			continue
		}
		if len(p.changes) == 0 {
			parts = append(parts, p)
		}
		p.changes = append(p.changes, i)
	}
	for _, p := range byFolder {
		if p.undated && s.linger > 0 {
			p.hash.Write([]byte(rand.Text()))
		}
		p.finish()
	}
	return parts, verdicts
}

// buffers are for lines that are about to be compressed, and what becomes of them.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostPooled is the largest buffer that is kept for the next part, in bytes.
const mostPooled = 8 << 20

func takeBuffer() []byte {
	if b, ok := buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

func giveBuffer(b []byte) {
	if cap(b) <= mostPooled {
		buffers.Put(&b)
	}
}

func newPart(folder string, e *encoding) *part {
	p := &part{folder: folder, encoding: e, hash: sha256.New()}
	if e.pack != nil {
		p.lines = takeBuffer()
	}
	p.hash.Write([]byte(folder))
	return p
}

// add adds a change, or the letter about it.
func (p *part) add(parsed *format.Parsed, letter *sink.DeadLetter) error {
	before, kind, source := len(p.lines), parsed.Format, parsed.Data
	switch {
	case letter != nil:
		p.lines = letter.AppendLine(p.lines, parsed)
		kind = letter.MediaType + "\x00" + letter.Reason
	case p.encoding.rows != nil:
		r, err := row.Of(parsed)
		if err != nil {
			return err
		}
		p.rows = append(p.rows, r)
		if parsed.Format == avro.Name {
			p.datum = row.AppendAvro(p.datum[:0], &r)
			source = p.datum
		}
	default:
		line, err := json.AppendLine(p.lines, parsed)
		if err != nil {
			return err
		}
		p.lines = append(line, '\n')
		if parsed.Format == avro.Name {
			source = p.lines[before:]
		}
	}
	p.mark(kind, source)
	p.undated = p.undated || letter == nil && parsed.Change.LUT == 0 && parsed.Change.Generation == 0
	p.size += int64(max(len(p.lines)-before, len(parsed.Data)))
	p.span.add(span{parsed.Change.LUT, parsed.Change.LUT})
	return nil
}

// mark makes what the change was made of a part of the key.
func (p *part) mark(kind string, source []byte) {
	p.head = append(append(p.head[:0], kind...), 0)
	p.head = binary.BigEndian.AppendUint64(p.head, uint64(len(source)))
	p.hash.Write(p.head)
	p.hash.Write(source)
}

// packedBytes is the least size of lines that are compressed by themselves, as soon
// as they come: what is larger gains next to nothing from its neighbours.
const packedBytes = 64 << 10

// finish makes the key, and leaves behind the least memory.
func (p *part) finish() {
	p.hash.Sum(p.key[:0])
	p.hash, p.head, p.datum = nil, nil, nil
	if p.encoding.pack == nil {
		return
	}
	lines := p.lines
	if len(lines) < packedBytes {
		p.lines = bytes.Clone(lines)
	} else {
		packed := p.encoding.pack(takeBuffer(), lines)
		p.packed, p.lines = bytes.Clone(packed), nil
		giveBuffer(packed)
	}
	giveBuffer(lines)
}
