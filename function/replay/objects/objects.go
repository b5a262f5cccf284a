// Package objects reads the objects of an archive, or of dead letters, in a bucket or in a
// directory. Access to the buckets of a cloud is in a package of its own: see gcs and s3. What
// comes in is the name of a folder, what goes out are changes:
//
//  1. [Buckets.Open] opens a [Source], which lists objects by name;
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
	"maps"
	"net/url"
	"os"
	"slices"
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

// OpenBucket opens the source that the URL of a bucket and a prefix names.
type OpenBucket func(ctx context.Context, u *url.URL) (Source, error)

// Buckets has the kinds of buckets that a program reads, by the scheme of their URLs. Each
// program has its own, so that it links only the clouds it reads from.
type Buckets map[string]OpenBucket

// Examples lists an example of a URL of each kind.
func (b Buckets) Examples() string {
	var examples []string
	for _, scheme := range slices.Sorted(maps.Keys(b)) {
		examples = append(examples, scheme+"://BUCKET/PREFIX")
	}
	return strings.Join(examples, " or ")
}

// Open opens the source that from names: the URL of a bucket with a prefix, or the path of a
// directory or of a file.
func (b Buckets) Open(ctx context.Context, from string) (Source, error) {
	if scheme, _, ok := strings.Cut(from, "://"); ok {
		u, err := url.Parse(from)
		if err != nil {
			return nil, fmt.Errorf("%q is not a URL; want %s", from, b.Examples())
		}
		open, ok := b[u.Scheme]
		if !ok {
			return nil, fmt.Errorf("cannot read from %s: this program does not read %s://; want %s", from, scheme, b.Examples())
		}
		return open(ctx, u)
	}
	if _, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("%w; want %s, or the path of a directory or file", err, b.Examples())
	}
	return directory(from), nil
}
