// Package spill keeps more bytes than fit into memory, by bucket, in one temporary file.
package spill

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// blockBytes is the size of a block of the file, in bytes. Each bucket collects a block in
// memory, so a few small buckets never touch the disk.
const blockBytes = 16 << 10

// File holds a stream of bytes for each bucket. It is not safe for concurrent use.
type File struct {
	buckets []bucket
	file    *os.File // nil until the first block is written
	remove  func()   // of file
	blocks  int64    // in file
}

// bucket is a stream of bytes: blocks of the file, then what is still in memory.
type bucket struct {
	blocks []uint32 // by their numbers in the file
	last   []byte   // less than a block
}

// New returns a File with that many empty buckets. The temporary file is in [os.TempDir].
func New(buckets int) *File { return &File{buckets: make([]bucket, buckets)} }

// Buckets returns the number of buckets.
func (f *File) Buckets() int { return len(f.buckets) }

// Append appends b to a bucket. It does not keep b.
func (f *File) Append(number int, b []byte) error {
	to := &f.buckets[number]
	for len(to.last)+len(b) >= blockBytes {
		n := blockBytes - len(to.last)
		to.last = append(to.last, b[:n]...)
		b = b[n:]
		if err := f.write(to); err != nil {
			return err
		}
	}
	to.last = append(to.last, b...)
	return nil
}

// write writes the block that is in memory.
func (f *File) write(from *bucket) error {
	if f.file == nil {
		var err error
		if f.file, f.remove, err = createTemp(); err != nil {
			return temporary(err)
		}
	}
	if _, err := f.file.WriteAt(from.last, f.blocks*blockBytes); err != nil {
		return temporary(err)
	}
	from.blocks = append(from.blocks, uint32(f.blocks)) // 2^32 blocks are 64 TiB
	from.last = from.last[:0]
	f.blocks++
	return nil
}

// createTemp creates a temporary file. Where the system allows it, the file loses its name at
// once, so that nothing of it is left behind when the process is killed. Elsewhere remove
// removes it, once it is closed.
var createTemp = func() (file *os.File, remove func(), err error) {
	if file, err = os.CreateTemp("", "aerosink-*"); err != nil {
		return nil, nil, err
	}
	if os.Remove(file.Name()) == nil {
		return file, func() {}, nil
	}
	return file, func() { _ = os.Remove(file.Name()) }, nil // the system removes it some day
}

// temporary returns the error of a temporary file.
func temporary(err error) error {
	return fmt.Errorf("write a temporary file: %w; set TMPDIR to a directory with more space", err)
}

// Reader returns a reader of what was appended to a bucket. Nothing may be appended before it
// is read to the end.
func (f *File) Reader(number int) io.Reader {
	from := &f.buckets[number]
	readers := make([]io.Reader, 0, len(from.blocks)+1)
	for _, block := range from.blocks {
		readers = append(readers, io.NewSectionReader(f.file, int64(block)*blockBytes, blockBytes))
	}
	return io.MultiReader(append(readers, bytes.NewReader(from.last))...)
}

// Len returns how many bytes were appended to a bucket.
func (f *File) Len(number int) int64 {
	b := &f.buckets[number]
	return int64(len(b.blocks))*blockBytes + int64(len(b.last))
}

// Disk returns how many bytes the temporary file takes.
func (f *File) Disk() int64 { return f.blocks * blockBytes }

// Close removes the file. It may be called several times.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.remove()
	f.file, f.buckets = nil, nil
	return err
}
