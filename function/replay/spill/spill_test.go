package spill_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/replay/spill"
)

// Each bucket has what was appended to it, in order, whatever the sizes.
func TestFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const buckets = 3
		f := spill.New(buckets)
		defer f.Close()
		want := make([][]byte, buckets)
		for i := range rapid.IntRange(0, 20).Draw(t, "appends") {
			number := rapid.IntRange(0, buckets-1).Draw(t, "bucket")
			b := bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom([]int{0, 1, 48, 16<<10 - 1, 16 << 10, 16<<10 + 1, 50_000}).Draw(t, "size"))
			if err := f.Append(number, b); err != nil {
				t.Fatal(err)
			}
			want[number] = append(want[number], b...)
		}
		for range 2 {
			for number := range buckets {
				got, err := io.ReadAll(f.Reader(number))
				if err != nil || !bytes.Equal(got, want[number]) || f.Len(number) != int64(len(got)) {
					t.Fatalf("bucket %d: %d of %d bytes, length %d, error %v", number, len(got), len(want[number]), f.Len(number), err)
				}
			}
		}
	})
}

// The temporary file has no name once it is written to, so nothing is left behind. A few bytes
// need none.
func TestFile_leavesNothing(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	f := spill.New(1)
	if err := f.Append(0, make([]byte, 100)); err != nil || f.Disk() != 0 {
		t.Errorf("%d bytes on disk, error %v", f.Disk(), err)
	}
	if err := f.Append(0, make([]byte, 100_000)); err != nil || f.Disk() == 0 {
		t.Errorf("%d bytes on disk, error %v", f.Disk(), err)
	}
	if files, err := filepath.Glob(folder + "/*"); err != nil || len(files) != 0 {
		t.Errorf("%v, error %v", files, err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An error says which setting helps.
func TestFile_errors(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	for name, tt := range map[string]struct {
		open func() (*os.File, error)
		want string
	}{
		"disk full":    {func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }, "no space left on device"},
		"no directory": {func() (*os.File, error) { return os.Create(filepath.Join(t.TempDir(), "no", "file")) }, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			defer spill.CreateTemp(func() (*os.File, func(), error) {
				file, err := tt.open()
				return file, func() {}, err
			})()
			f := spill.New(1)
			defer f.Close()
			err := f.Append(0, make([]byte, 100_000))
			if err == nil || !strings.HasPrefix(err.Error(), "write a temporary file: ") || !strings.Contains(err.Error(), tt.want) ||
				!strings.HasSuffix(err.Error(), "; set TMPDIR to a directory with more space") {
				t.Errorf("error %v", err)
			}
		})
	}
}
