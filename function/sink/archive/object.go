package archive

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/function/sink/row"
)

// object is what becomes one object in the bucket: parts of one folder. The group
// that made it guards it until it is closed, and after that once it is settled.
type object struct {
	folder   string
	encoding *encoding
	keys     []key // of its parts, in order once it is closed
	changes  int
	size     int64 // bytes, uncompressed
	span     span

	parts  []*part // until content is made of them
	open   bool
	timer  *time.Timer // closes it at the time closes
	closes time.Time
	round  *round // nil while nobody waits for it

	name    string
	content [][]byte // nil once the object is there
	crc     uint32   // CRC32C of content
	doubt   bool     // a write was sent that had no answer

	touched time.Time     // while it is settled
	element *list.Element // of the memory
}

// round is from when an object is waited for until it is settled: there, failed, or
// in doubt.
type round struct {
	object  *object
	waiting int           // Puts
	blocked []*ticket     // those that came while the object was open
	taken   chan struct{} // closed when the memory of batches is no longer needed
	settled chan struct{} // closed when err says how it ended
	err     error
	cancel  func() // ends the writing
}

// begin makes a round of o, which borrows the memory of batches or does not.
func (o *object) begin(borrows bool) {
	o.round = &round{object: o, taken: make(chan struct{}), settled: make(chan struct{})}
	if !borrows {
		close(o.round.taken)
	}
}

func (o *object) add(p *part) {
	o.parts = append(o.parts, p)
	o.keys = append(o.keys, p.key)
	o.changes += len(p.changes)
	o.size += p.size
	o.span.add(p.span)
}

// hashBytes is how much of a hash is in a name.
const hashBytes = 16

// seal makes name and content. Parts are put in the order of their keys, so that
// both are the same in whatever order they came.
func (o *object) seal() error {
	slices.SortFunc(o.parts, func(a, b *part) int { return bytes.Compare(a.key[:], b.key[:]) })
	h := sha256.New()
	for _, p := range o.parts {
		h.Write(p.key[:])
	}
	o.name = fmt.Sprintf("%s%013d-%x%s", o.folder, o.span.first, h.Sum(nil)[:hashBytes], o.encoding.suffix)
	content, err := o.encoding.seal(o.parts)
	if err != nil {
		return err
	}
	o.content, o.parts = content, nil
	for _, c := range content {
		o.crc = crc32.Update(o.crc, castagnoli, c)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stored returns the size of the content in bytes.
func (o *object) stored() int64 {
	n := 0
	for _, c := range o.content {
		n += len(c)
	}
	return int64(n)
}

// metadata returns what the object says of itself.
func (o *object) metadata() map[string]string {
	m := map[string]string{
		"format":      o.encoding.format,
		"compression": o.encoding.compression,
		"changes":     strconv.Itoa(o.changes),
		"crc32c":      fmt.Sprintf("%08x", o.crc),
		"writer":      writer(),
	}
	if o.span.first > 0 {
		m["lut-min"], m["lut-max"] = strconv.FormatInt(o.span.first, 10), strconv.FormatInt(o.span.last, 10)
	}
	if o.encoding.rows != nil {
		m["schema"] = strconv.Itoa(row.Version)
	}
	return m
}
