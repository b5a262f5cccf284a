package row

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"github.com/aerosink/aerosink/connector/change"
)

// ReadAvro returns the changes of an object container file that [AvroFile] has written.
// An error ends it and tells the row, counted from 0; of a file that is damaged it is
// permanent. It holds one block at a time. A change owns its bytes.
func ReadAvro(file io.Reader) iter.Seq2[change.Change, error] {
	return func(yield func(change.Change, error) bool) {
		source := &source{Reader: file}
		err := readAvro(source, func(c change.Change) bool { return yield(c, nil) })
		if err != nil {
			yield(change.Change{}, source.verdict(fmt.Errorf("read an Avro file: %w", err)))
		}
	}
}

// source remembers whether reading has failed, which has nothing to do with what is
// read.
type source struct {
	io.Reader
	io.ReaderAt
	err error
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	s.note(err)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(b, at)
	s.note(err)
	return n, err
}

func (s *source) note(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
}

// verdict marks err where it is no failure to read.
func (s *source) verdict(err error) error {
	if s.err != nil {
		return err
	}
	return change.Permanent(err)
}

func readAvro(file io.Reader, yield func(change.Change) bool) error {
	schema, err := avro.Parse(Schema)
	if err != nil {
		return err
	}
	r, err := ocf.NewReader(file, ocf.WithReaderSchemaFunc(func(r *ocf.Reader) (*avro.Schema, error) {
		return schema, checkVersion(string(r.Metadata()[versionKey]))
	}))
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // nothing was written
	for i := 0; ; i++ {
		var next record
		if err := r.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		c, err := next.change()
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if !yield(c) {
			return nil
		}
	}
}

// ReadParquet returns the changes of a file of size bytes that [ParquetFile] has
// written. An error ends it and tells the row, counted from 0; of a file that is
// damaged it is permanent. It holds one page of each column at a time. A change owns
// its bytes.
func ReadParquet(file io.ReaderAt, size int64) iter.Seq2[change.Change, error] {
	return func(yield func(change.Change, error) bool) {
		source := &source{ReaderAt: file}
		err := readParquet(source, size, func(c change.Change) bool { return yield(c, nil) })
		if err != nil {
			yield(change.Change{}, source.verdict(fmt.Errorf("read a Parquet file: %w", err)))
		}
	}
}

// batchRows is how many rows of Parquet are read at once.
const batchRows = 64

func readParquet(file io.ReaderAt, size int64, yield func(change.Change) bool) (err error) {
	if err := checkSeal(file, size); err != nil {
		return err
	}
	f, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	version, _ := f.Lookup(versionKey)
	if err := checkVersion(version); err != nil {
		return err
	}
	r := parquet.NewGenericReader[record](f)
	defer func() { err = errors.Join(err, r.Close()) }()
	batch := make([]record, batchRows)
	for i := 0; ; {
		clear(batch)
		n, err := r.Read(batch)
		for _, next := range batch[:n] {
			c, err := next.change()
			if err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
			if !yield(c) {
				return nil
			}
			i++
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
}
