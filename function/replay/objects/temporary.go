package objects

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// TemporaryFile returns a temporary file, from its start, that copy has filled with an object.
// The caller calls release at the end. Objects are copied before they are read, since their
// checksum is verified before the first change is sent, and Parquet is read from the end.
func TemporaryFile(copy func(io.Writer) error) (file *os.File, release func(), err error) {
	file, err = os.CreateTemp("", "replay-*")
	if err != nil {
		return nil, nil, fmt.Errorf("create a temporary file: %w; set TMPDIR to a directory with space for the largest object", err)
	}
	release = func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	if err := copy(file); err != nil {
		release()
		return nil, nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		release()
		return nil, nil, err
	}
	return file, release, nil
}

// Relative returns the name of an object without the prefix, and reports whether the prefix is
// the name or a folder of it: changes is none of changes-old.
func Relative(name, prefix string) (string, bool) {
	relative, ok := strings.CutPrefix(name, strings.TrimSuffix(prefix, "/"))
	if !ok || prefix != "" && relative != "" && relative[0] != '/' {
		return "", false
	}
	return relative, true
}
