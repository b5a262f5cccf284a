package row

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"github.com/aerosink/aerosink/connector/change"
)

// ReadAvro returns the changes in an object container file that [AvroFile] has written.
// It ends with the first error, which has the number of the row, counted from 0, and is
// permanent if the file is damaged. It keeps one block in memory. A change owns its bytes.
func ReadAvro(file io.Reader) iter.Seq2[change.Change, error] {
	return avroChanges(file, fullSchema, (*record).change)
}

// ReadAvroMetadata is like [ReadAvro], but skips user keys and bins.
func ReadAvroMetadata(file io.Reader) iter.Seq2[change.Change, error] {
	return avroChanges(file, metadataSchema, (*metadata).change)
}

// fullSchema and metadataSchema are the schemas of what is read.
var (
	fullSchema     = sync.OnceValues(func() (*avro.Schema, error) { return avro.Parse(Schema) })
	metadataSchema = sync.OnceValues(func() (*avro.Schema, error) { return avro.Parse(withoutFields(Schema, "key", "partition_id", "bins")) })
)

// avroChanges returns the changes in an object container file, whose rows are read as R with
// the schema.
func avroChanges[R any](file io.Reader, schema func() (*avro.Schema, error), changeOf func(*R) (change.Change, error)) iter.Seq2[change.Change, error] {
	return func(yield func(change.Change, error) bool) {
		source := &source{Reader: file}
		err := readAvro(source, schema, changeOf, func(c change.Change) bool { return yield(c, nil) })
		if err != nil {
			yield(change.Change{}, source.verdict(fmt.Errorf("read an Avro file: %w", err)))
		}
	}
}

// source remembers errors of the underlying reader, which are not errors in the file.
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

// verdict marks err as permanent, unless the underlying reader has failed.
func (s *source) verdict(err error) error {
	if s.err != nil {
		return err
	}
	return change.Permanent(err)
}

func readAvro[R any](file io.Reader, readerSchema func() (*avro.Schema, error), changeOf func(*R) (change.Change, error), yield func(change.Change) bool) error {
	schema, err := readerSchema()
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
		var next R
		if err := r.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		c, err := changeOf(&next)
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if !yield(c) {
			return nil
		}
	}
}

// ReadParquet returns the changes in a file of size bytes that [ParquetFile] has written.
// It ends with the first error, which has the number of the row, counted from 0, and is
// permanent if the file is damaged. It keeps one page of each column in memory. A change
// owns its bytes.
func ReadParquet(file io.ReaderAt, size int64) iter.Seq2[change.Change, error] {
	return parquetChanges(file, size, (*record).change)
}

// ReadParquetMetadata is like [ReadParquet], but does not read user keys and bins.
func ReadParquetMetadata(file io.ReaderAt, size int64) iter.Seq2[change.Change, error] {
	return parquetChanges(file, size, (*metadata).change)
}

// parquetChanges returns the changes in a Parquet file, whose rows are read as R.
func parquetChanges[R any](file io.ReaderAt, size int64, changeOf func(*R) (change.Change, error)) iter.Seq2[change.Change, error] {
	return func(yield func(change.Change, error) bool) {
		source := &source{ReaderAt: file}
		err := readParquet(source, size, changeOf, func(c change.Change) bool { return yield(c, nil) })
		if err != nil {
			yield(change.Change{}, source.verdict(fmt.Errorf("read a Parquet file: %w", err)))
		}
	}
}

// batchRows is how many rows of Parquet are read at once.
const batchRows = 64

func readParquet[R any](file io.ReaderAt, size int64, changeOf func(*R) (change.Change, error), yield func(change.Change) bool) (err error) {
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
	r := parquet.NewGenericReader[R](f)
	defer func() { err = errors.Join(err, r.Close()) }()
	batch := make([]R, batchRows)
	for i := 0; ; {
		clear(batch)
		n, err := r.Read(batch)
		for k := range batch[:n] {
			c, err := changeOf(&batch[k])
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
