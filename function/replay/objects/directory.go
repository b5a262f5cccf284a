package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// directory is the path of a directory, or of one file.
type directory string

// List implements [Source].
func (d directory) List(context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		var objects []Object
		top := filepath.Clean(string(d))
		err := filepath.WalkDir(string(d), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				objects = append(objects, Object{path, fileVersion(info), info.Size(), strings.TrimPrefix(path, top), info.ModTime()})
			}
			return err
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("list files: %w", err))
			return
		}
		slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// fileVersion returns the version of a file.
func fileVersion(info fs.FileInfo) string {
	return fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// Fetch implements [Source].
func (directory) Fetch(_ context.Context, o Object) (*os.File, func(), error) {
	file, err := os.Open(o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, change.Permanent(err)
	}
	if err != nil {
		return nil, nil, err
	}
	release := func() { _ = file.Close() } // it was only read
	info, err := file.Stat()
	if err == nil && fileVersion(info) != o.Version {
		err = change.Permanent(errors.New("the file has changed since it was listed"))
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return file, release, nil
}

// Close implements [Source].
func (directory) Close() {}
