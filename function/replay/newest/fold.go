package newest

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/spill"
)

// Folder joins the parts of records into one change for each record. Its temporary file has
// the bins of all parts.
type Folder struct {
	index *Index
	spill *spill.File
	buf   []byte
}

// Folded is a change that was made of the parts of a record.
type Folded struct {
	Change change.Change // a write, with the metadata of the newest part; its mode is Replace if the parts are the whole record
	Object int           // number of the object with the newest part
	Line   int           // of that part, in the object
}

// Folder returns a Folder without parts. Close it at the end.
func (p *Plan) Folder() *Folder { return &Folder{index: p.index, spill: spill.New(buckets)} }

// part is a part of a record.
type part struct {
	entry
	need Need
	line uint32
	rest []byte // user key and bins
}

// partHeader is the size of a part in the spill file without its rest, in bytes.
const partHeader = entryBytes + 1 + 4 + 4

// Add adds a part: a change that is needed as NeedPart or NeedUpdate, by the number of its
// object, its place in the object, from 0, and its line.
func (f *Folder) Add(object, ordinal, line int, need Need, c *change.Change) error {
	e := entry{
		digest: c.Digest, name: f.index.names.number(c.Namespace, c.Set), lut: c.LUT, expiry: c.Expiry, generation: c.Generation,
		object: uint32(object), ordinal: uint32(ordinal), op: c.Op, mode: c.Mode,
	}
	if e.mode == change.ModeUnknown {
		e.mode = f.index.mode
	}
	b := append(e.append(f.buf[:0]), byte(need))
	b = binary.LittleEndian.AppendUint32(b, uint32(line))
	b = append(b, 0, 0, 0, 0)
	b = appendBins(b, c)
	binary.LittleEndian.PutUint32(b[partHeader-4:], uint32(len(b)-partHeader))
	f.buf = b
	return f.spill.Append(bucketOf(&c.Digest), b)
}

// Disk returns how many bytes of temporary files the parts take.
func (f *Folder) Disk() int64 { return f.spill.Disk() }

// Buckets returns in how many buckets the records are.
func (f *Folder) Buckets() int { return f.spill.Buckets() }

// Bucket yields the records of a bucket. It holds all parts of the bucket in memory. An error
// ends the sequence.
func (f *Folder) Bucket(number int) iter.Seq2[Folded, error] {
	return func(yield func(Folded, error) bool) {
		parts, err := f.parts(number)
		if err != nil {
			yield(Folded{}, fmt.Errorf("read a temporary file: %w", err))
			return
		}
		entries := make([]entry, len(parts))
		at := make(map[uint64]*part, len(parts))
		for i := range parts {
			entries[i] = parts[i].entry
			at[parts[i].place()] = &parts[i]
		}
		var together []*part
		var c chain
		for changes := range f.index.records(entries) {
			c, together = c.of(changes), together[:0]
			for i := range c {
				together = append(together, at[c[i].place()])
			}
			folded, err := f.fold(together)
			if !yield(folded, err) || err != nil {
				return
			}
		}
	}
}

// place identifies a change in the archive.
func (e *entry) place() uint64 { return uint64(e.object)<<32 | uint64(e.ordinal) }

// parts returns the parts of a bucket.
func (f *Folder) parts(number int) ([]part, error) {
	text := make([]byte, f.spill.Len(number))
	if _, err := io.ReadFull(f.spill.Reader(number), text); err != nil {
		return nil, err
	}
	var parts []part
	for len(text) > 0 {
		p := part{
			entry: parseEntry(text), need: Need(text[entryBytes]), line: binary.LittleEndian.Uint32(text[entryBytes+1:]),
		}
		end := partHeader + int(binary.LittleEndian.Uint32(text[partHeader-4:]))
		p.rest, text = text[partHeader:end], text[end:]
		parts = append(parts, p)
	}
	return parts, nil
}

// fold joins the parts of a record, from the oldest to the newest.
func (f *Folder) fold(parts []*part) (Folded, error) {
	last := parts[len(parts)-1]
	n := f.index.names.list[last.name]
	c := change.Change{
		Op: change.Write, Mode: change.Update, Namespace: n.namespace, Set: n.set, Digest: last.digest,
		Generation: last.generation, LUT: last.lut, Expiry: last.expiry,
	}
	if last.need == NeedPart {
		c.Mode = change.Replace
	}
	for _, p := range parts {
		var next change.Change
		if err := parseBins(p.rest, &next); err != nil {
			return Folded{}, err
		}
		if next.Key.Kind() != change.KindNil {
			c.Key = next.Key
		}
		c.Bins = update(c.Bins, next.Bins)
	}
	if c.Mode == change.Replace {
		c.Bins = slices.DeleteFunc(c.Bins, func(b change.Bin) bool { return b.Value.Kind() == change.KindNil })
	}
	return Folded{c, int(last.object), int(last.line)}, nil
}

// update returns bins with those of newer in the place of bins of the same name, or appended.
func update(bins, newer []change.Bin) []change.Bin {
	for _, b := range newer {
		if i := slices.IndexFunc(bins, func(old change.Bin) bool { return old.Name == b.Name }); i >= 0 {
			bins[i] = b
		} else {
			bins = append(bins, b)
		}
	}
	return bins
}

// Close removes the temporary file.
func (f *Folder) Close() error { return f.spill.Close() }
