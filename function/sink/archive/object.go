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

// object collects parts of one folder, which become one object in the bucket. The group
// guards it, except while it is encoded and written.
type object struct {
	folder   string
	encoding *encoding
	keys     []key // of its parts; sorted once it is encoded
	changes  int
	size     int64 // bytes, uncompressed
	luts     lutRange

	parts   []*part // until they are encoded as content
	open    bool
	timer   *time.Timer // closes the object, at the time closes
	closes  time.Time
	pending *pendingWrite // nil while nobody waits for the object

	name    string
	content [][]byte // nil once the object exists
	crc     uint32   // CRC32C of content
	inDoubt bool     // a write got no response

	lastUsed time.Time     // while nothing is pending
	element  *list.Element // in the index
}

// pendingWrite is what Puts wait for: the writing of an object, from the first part until it
// exists, has failed, or is in doubt.
type pendingWrite struct {
	object      *object
	puts        int           // Puts that wait
	blockedPuts []*activePut  // Puts that joined while the object was open
	borrows     bool          // the parts use the memory of batches
	encoded     chan struct{} // closed when the memory of the batches is no longer needed
	done        chan struct{} // closed when err is set; then encoded is closed too
	err         error
	cancel      func() // cancels the write
}

// beginWrite sets o.pending. borrows says whether the parts use the memory of batches.
func (o *object) beginWrite(borrows bool) {
	o.pending = &pendingWrite{object: o, borrows: borrows, encoded: make(chan struct{}), done: make(chan struct{})}
	if !borrows {
		close(o.pending.encoded)
	}
}

// releaseMemory tells Puts that the memory of their batches is no longer needed. It is called
// before the write is begun, or by the goroutine that writes.
func (w *pendingWrite) releaseMemory() {
	if w.borrows {
		w.borrows = false
		close(w.encoded)
	}
}

// end ends the write.
func (w *pendingWrite) end(err error) {
	w.object.pending, w.err = nil, err
	w.releaseMemory()
	close(w.done)
}

func (o *object) add(p *part) {
	o.parts = append(o.parts, p)
	o.keys = append(o.keys, p.key)
	o.changes += len(p.changes)
	o.size += p.size
	o.luts.add(p.luts)
}

// hashBytes is how many bytes of the hash are in a name.
const hashBytes = 16

// encode sets the name and the content. It sorts the parts by key, so that both are the same
// in whatever order the parts arrived.
func (o *object) encode() error {
	slices.SortFunc(o.parts, func(a, b *part) int { return bytes.Compare(a.key[:], b.key[:]) })
	h := sha256.New()
	for _, p := range o.parts {
		h.Write(p.key[:])
	}
	o.name = fmt.Sprintf("%s%013d-%x%s", o.folder, o.luts.first, h.Sum(nil)[:hashBytes], o.encoding.suffix)
	content, err := o.encoding.join(o.parts)
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

// metadata returns the metadata of the object.
func (o *object) metadata() map[string]string {
	m := map[string]string{
		"format":      o.encoding.format,
		"compression": o.encoding.compression,
		"changes":     strconv.Itoa(o.changes),
		"crc32c":      fmt.Sprintf("%08x", o.crc),
		"writer":      program(),
	}
	if o.luts.first > 0 {
		m["lut-min"], m["lut-max"] = strconv.FormatInt(o.luts.first, 10), strconv.FormatInt(o.luts.last, 10)
	}
	if o.encoding.rows != nil {
		m["schema"] = strconv.Itoa(row.Version)
	}
	return m
}

// activePut is a running Put.
type activePut struct {
	waitingFor int // open objects
	done       bool
}
