package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// object is an object of a bucket, or a file.
type object struct {
	name     string // or the path of a file
	version  string // changes with the content
	size     int64  // in bytes
	relative string // the name without the prefix that was asked for
}

// source is where objects are read from.
type source interface {
	// list yields the objects, sorted by name. An error ends the sequence.
	list(ctx context.Context) iter.Seq2[object, error]

	// fetch returns the content as a file. The caller calls release at the end. The error
	// is permanent if the object is gone or damaged.
	fetch(ctx context.Context, o object) (file *os.File, release func(), err error)

	close()
}

// openSource returns the source that from names.
func openSource(ctx context.Context, from string) (source, error) {
	if strings.HasPrefix(from, "gs:") {
		u, err := url.Parse(from)
		if err != nil || u.Host == "" || u.RawQuery != "" {
			return nil, fmt.Errorf("cannot read from %q; want gs://BUCKET/PREFIX, without parameters", from)
		}
		return openBucket(ctx, u.Host, strings.TrimPrefix(u.Path, "/"))
	}
	if _, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("%w; want gs://BUCKET/PREFIX, or the path of a directory or file", err)
	}
	return directory(from), nil
}

// directory is the path of a directory, or of one file.
type directory string

func (d directory) list(context.Context) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		var objects []object
		top := filepath.Clean(string(d))
		err := filepath.WalkDir(string(d), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				version := fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
				objects = append(objects, object{path, version, info.Size(), strings.TrimPrefix(path, top)})
			}
			return err
		})
		if err != nil {
			yield(object{}, fmt.Errorf("list files: %w", err))
			return
		}
		slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.name, b.name) })
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (directory) fetch(_ context.Context, o object) (*os.File, func(), error) {
	file, err := os.Open(o.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = change.Permanent(err)
	}
	return file, func() { _ = file.Close() }, err // it was only read
}

func (directory) close() {}
