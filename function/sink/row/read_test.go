package row_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/row"
)

// count reads a file to its end. It returns the number of changes and the error, if any.
func count(f file, b []byte) (n int, err error) {
	for _, err := range f.read(b) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Reading a truncated file is a permanent error, wherever it is cut.
func TestRead_truncated(t *testing.T) {
	for _, f := range files {
		b := write(t, f, f.codecs[0], rowsOf(t, []change.Change{all, all}))
		for i := range b {
			// An Avro file without blocks is valid.
			if n, err := count(f, b[:i]); n > 0 || !change.IsPermanent(err) && !isHeader(f, b, i) {
				t.Fatalf("%s, %d of %d bytes: %d changes, error %v", f.name, i, len(b), n, err)
			}
		}
	}
}

// isHeader reports whether the first i bytes of an Avro file are its header.
func isHeader(f file, b []byte, i int) bool {
	return f.name == "avro" && i < len(b) && bytes.Equal(b[i-16:i], b[len(b)-16:])
}

// A wrong byte in a Parquet file is always found; in an Avro file it may change what is
// read. No file makes the reader panic or allocate what a wrong length says.
func TestRead_damaged(t *testing.T) {
	const step, most = 5, 128 << 20
	for _, f := range files {
		b := write(t, f, f.codecs[0], rowsOf(t, []change.Change{all}))
		for i := 0; i < len(b); i += step {
			b[i] ^= 0x55
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := count(f, b)
			runtime.ReadMemStats(&after)
			if err != nil && !change.IsPermanent(err) {
				t.Errorf("%s, byte %d: error %v is not permanent", f.name, i, err)
			}
			if err == nil && f.name == "parquet" {
				t.Errorf("%s, byte %d: no error", f.name, i)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most {
				t.Errorf("%s, byte %d: %d MiB allocated for a file of %d bytes", f.name, i, allocated>>20, len(b))
			}
			b[i] ^= 0x55
		}
	}
}

// Files of another program, of a newer schema or of another format are permanent errors.
func TestRead_otherFiles(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		b := write(t, f, codec, rowsOf(t, []change.Change{all}))
		for old, tt := range map[string]struct{ by, want string }{
			"aerosink.schema.version": {"aerosink.schema.versiom", "has no metadata aerosink.schema.version"},
			versionText(f):            {strings.Replace(versionText(f), "1", "2", 1), "has version 2, this release reads up to 1; use a newer one"},
		} {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("no %q in the file", old)
			}
			if _, err := count(f, resealed(f, bytes.ReplaceAll(b, []byte(old), []byte(tt.by)))); !change.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want a permanent %q", err, tt.want)
			}
		}
		for _, other := range []string{"", "{}\n", "Obj\x01", "PAR1PAR1"} {
			if _, err := count(f, []byte(other)); !change.IsPermanent(err) {
				t.Errorf("%q: error %v", other, err)
			}
		}
	})
}

// A time that no reader of changes accepts is an error of its row. No file of ours has one;
// one of Parquet would need other checksums.
func TestRead_timeAfterTheLast(t *testing.T) {
	f := files[0]
	for name, c := range map[string]change.Change{
		"LUT":     {Namespace: "n", LUT: change.EndOfTime},
		"bin LUT": {Namespace: "n", BinLUTs: true, Bins: []change.Bin{{Name: "a", LUT: change.EndOfTime}}},
		"expiry":  {Namespace: "n", Expiry: change.EndOfTime / 1000},
	} {
		last := int64(change.EndOfTime)
		if name == "expiry" {
			last = last / 1000 * 1000
		}
		b := write(t, f, "null", rowsOf(t, []change.Change{c}))
		if n, err := count(f, b); n != 1 || err != nil {
			t.Fatalf("%s: %d rows, %v", name, n, err)
		}
		old, later := binary.AppendVarint(nil, last), binary.AppendVarint(nil, last+1000)
		if !bytes.Contains(b, old) {
			t.Fatalf("%s: not in the file", name)
		}
		_, err := count(f, bytes.ReplaceAll(b, old, later))
		if !change.IsPermanent(err) || !strings.Contains(err.Error(), "row 0: ") || !strings.Contains(err.Error(), "outside the years 1970 to 9999") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// resealed returns the file with the right checksum, as if a change in the footer of a
// Parquet file had been written so.
func resealed(f file, b []byte) []byte {
	if f.name == "avro" {
		return b
	}
	at := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:])) - 12
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, _ = sum.Write(b[:at])
	_, _ = sum.Write(b[at+12:])
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[at+8:], sum.Sum32())
	return b
}

// versionText returns the metadata key of the version and its value, as encoded in a file.
func versionText(f file) string {
	if f.name == "avro" {
		return "aerosink.schema.version\x021"
	}
	return "aerosink.schema.version\x18\x011"
}

var errRead = errors.New("connection lost")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error)          { return 0, errRead }
func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errRead }

// An error of the underlying reader is not permanent.
func TestRead_readerFails(t *testing.T) {
	b := write(t, files[0], "null", rowsOf(t, []change.Change{all}))
	for _, err := range row.ReadAvro(io.MultiReader(bytes.NewReader(b[:len(b)-20]), brokenReader{})) {
		if !errors.Is(err, errRead) || change.IsPermanent(err) {
			t.Errorf("Avro: error %v", err)
		}
	}
	for _, err := range row.ReadParquet(brokenReader{}, 1000) {
		if !errors.Is(err, errRead) || change.IsPermanent(err) {
			t.Errorf("Parquet: error %v", err)
		}
	}
}

// A loop over the changes may end early.
func TestRead_break(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		for c, err := range f.read(write(t, f, codec, rowsOf(t, []change.Change{all, all, all}))) {
			if err != nil || c.Namespace != "shop" {
				t.Errorf("change of %q, error %v", c.Namespace, err)
			}
			break
		}
	})
}

func FuzzRead(f *testing.F) {
	row, err := row.AvroFile(nil, "null")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	for _, kind := range files {
		for _, codec := range kind.codecs {
			f.Add(write(f, kind, codec, rowsOf(f, []change.Change{all})))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, f := range files {
			if _, err := count(f, b); err != nil && !change.IsPermanent(err) {
				t.Errorf("%s: error %v is not permanent", f.name, err)
			}
		}
	})
}

// Without user keys and bins a file gives the same metadata.
func TestRead_metadata(t *testing.T) {
	eachFile(t, func(t *testing.T, f file, codec string) {
		rapid.Check(t, func(t *rapid.T) {
			var changes []change.Change
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				changes = append(changes, changetest.Arbitrary{}.Change(t))
			}
			b := write(t, f, codec, rowsOf(t, changes))
			for i := range changes {
				changes[i].Key, changes[i].Bins = change.Value{}, nil
			}
			if diff := gocmp.Diff(collect(t, f.read(write(t, f, codec, rowsOf(t, changes)))), collect(t, f.metadata(b))); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	})
}
