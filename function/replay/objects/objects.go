// Package objects reads the objects of an archive, or of dead letters, in Cloud Storage or in
// a directory. What comes in is the name of a folder, what goes out are changes:
//
//  1. [Open] opens a [Source], which lists objects by name;
//  2. a [Filter] rules out objects by their path;
//  3. the Source fetches an object;
//  4. a [Decoder] decodes it in chunks of entries, each with a change or the reason why there
//     is none;
//  5. the Filter selects entries.
package objects

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"strings"
	"time"
)

// Object is an object of a bucket, or a file.
type Object struct {
	Name     string    // or the path of a file
	Version  string    // changes with the content
	Size     int64     // in bytes
	Relative string    // the name without the prefix that was asked for
	Created  time.Time // when the object was written; of a file, its modification time
}

// Source is where objects are read from. Its methods may be called by several goroutines at
// once.
type Source interface {
	// List yields the objects, sorted by name. An error ends the sequence.
	List(ctx context.Context) iter.Seq2[Object, error]

	// Fetch returns the content as a file. The caller calls release at the end. The error
	// is permanent if the object is gone, has changed since it was listed, or is damaged.
	Fetch(ctx context.Context, o Object) (file *os.File, release func(), err error)

	// Close closes the source. Nothing may be read from it any more.
	Close()
}

// Open opens the source that from names: gs://BUCKET/PREFIX, or the path of a directory or
// of a file.
func Open(ctx context.Context, from string) (Source, error) {
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
