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

// part has the changes of one Put for one folder, in the order of the batch.
type part struct {
	key      key
	folder   string
	encoding *encoding

	changes      []int // indexes in the batch
	size         int64 // bytes, uncompressed
	luts         lutRange
	unidentified bool // a change has neither time nor generation

	lines      []byte    // nil once they are compressed
	compressed []byte    // the lines, if they were large enough
	rows       []row.Row // they share the memory of the batch

	hash        hash.Hash // until the key is set
	head, datum []byte    // scratch space
}

// key identifies the content of a part and its folder: the same changes of a repeated
// request have the same key. It is a hash of the bytes as received, because what is written
// may differ a little: the expiry of a record that came over XDR is counted from its
// receipt.
//
// If a change has neither time nor generation, as deletes of ESP may, the same bytes may be
// another change, so the key is random. It is not random if objects are not shared, so that
// a replay makes the same objects each time.
type key [sha256.Size]byte

// lutRange is the range of the known last update times, in Unix milliseconds. The zero
// value is empty.
type lutRange struct{ first, last int64 }

func (s *lutRange) add(o lutRange) {
	if o.first > 0 && (s.first == 0 || o.first < s.first) {
		s.first = o.first
	}
	s.last = max(s.last, o.last)
}

// split splits a batch into parts by folder. A change that the encoding cannot express, or
// whose folder is too long, is in no part and gets a verdict.
func split(c *config, b sink.Batch) (parts []*part, verdicts sink.Verdicts) {
	byFolder := map[string]*part{}
	var folder []byte
	var at folderValues
	for i := range b.Changes {
		parsed := &b.Changes[i]
		encoding := c.changes
		at.c, at.time = &parsed.Change, parsed.Change.LUT
		var dead *sink.DeadLetter
		if b.DeadLetters != nil {
			dead = &b.DeadLetters[i]
			encoding, at.time = c.deadLetters, dead.Received.UnixMilli()
		}
		var err error
		if folder, err = c.path.folder(folder[:0], &at, dead != nil); err != nil {
			verdicts.Set(len(b.Changes), i, fmt.Errorf("archive in %s: %w", c.url, err))
			continue
		}
		p := byFolder[string(folder)]
		if p == nil {
			p = newPart(string(folder), encoding)
			byFolder[p.folder] = p
		}
		if err := p.add(parsed, dead); err != nil {
			verdicts.Set(len(b.Changes), i, fmt.Errorf("archive in %s: %w", c.url, err))
			continue
		}
		if len(p.changes) == 0 {
			parts = append(parts, p)
		}
		p.changes = append(p.changes, i)
	}
	for _, p := range byFolder {
		if p.unidentified && c.linger > 0 {
			p.hash.Write([]byte(rand.Text()))
		}
		p.finish()
	}
	return parts, verdicts
}

// lineBuffers is a pool of buffers for lines and for their compressed form.
var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest buffer that is pooled, in bytes.
const maxPooled = 8 << 20

func newLineBuffer() []byte {
	if b, ok := lineBuffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

func freeLineBuffer(b []byte) {
	if cap(b) <= maxPooled {
		lineBuffers.Put(&b)
	}
}

func newPart(folder string, e *encoding) *part {
	p := &part{folder: folder, encoding: e, hash: sha256.New()}
	if e.compress != nil {
		p.lines = newLineBuffer()
	}
	p.hash.Write([]byte(folder))
	return p
}

// add adds a change, or a dead letter.
func (p *part) add(parsed *format.Parsed, dead *sink.DeadLetter) error {
	before, kind, source := len(p.lines), parsed.Format, parsed.Data
	switch {
	case dead != nil:
		p.lines = dead.AppendLine(p.lines, parsed)
		kind = dead.MediaType + "\x00" + dead.Reason
		if len(source) == 0 { // the letters of two records must not have the same key
			c := &parsed.Change
			source = fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d\x00%d", c.Namespace, c.Set, c.Digest, c.LUT, dead.Size)
		}
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
	p.addToKey(kind, source)
	p.unidentified = p.unidentified || dead == nil && parsed.Change.LUT == 0 && parsed.Change.Generation == 0
	p.size += int64(max(len(p.lines)-before, len(parsed.Data)))
	p.luts.add(lutRange{parsed.Change.LUT, parsed.Change.LUT})
	return nil
}

// addToKey adds the bytes of a change, and what they are, to the hash for the key.
func (p *part) addToKey(kind string, source []byte) {
	p.head = append(append(p.head[:0], kind...), 0)
	p.head = binary.BigEndian.AppendUint64(p.head, uint64(len(source)))
	p.hash.Write(p.head)
	p.hash.Write(source)
}

// minCompressed is the size in bytes from which the lines of a part are compressed at once.
// Together with other parts they would hardly become smaller.
const minCompressed = 64 << 10

// finish sets the key, compresses lines that are large enough, and frees memory.
func (p *part) finish() {
	p.hash.Sum(p.key[:0])
	p.hash, p.head, p.datum = nil, nil, nil
	if p.encoding.compress == nil {
		return
	}
	lines := p.lines
	if len(lines) < minCompressed {
		p.lines = bytes.Clone(lines)
	} else {
		packed := p.encoding.compress(newLineBuffer(), lines)
		p.compressed, p.lines = bytes.Clone(packed), nil
		freeLineBuffer(packed)
	}
	freeLineBuffer(lines)
}
