package archive

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// config holds the settings in the URL of an archive.
type config struct {
	url        string // as configured
	bucketName string
	path       template

	changes, deadLetters *encoding

	timeout     time.Duration // of a Put
	linger      time.Duration // how long an object waits for more parts after its first; 0 never shares objects
	maxBytes    int64         // uncompressed size at which an object is closed
	maxChanges  int           // number of changes at which an object is closed
	maxInFlight int64         // bytes of all Puts together
}

// Defaults of the parameters, and the longest linger.
const (
	defaultLinger      = 250 * time.Millisecond
	maxLinger          = 4 * time.Second
	defaultMaxBytes    = 32 << 20
	defaultMaxChanges  = 100_000
	defaultMaxInFlight = 128 << 20
)

// Cloud has the functions that open and check the buckets of a cloud.
type Cloud struct {
	// Parameters reads the parameters of the URL that only this cloud has. It may be nil.
	Parameters func(q *sink.Query)

	Open  func(ctx context.Context, bucket string) (Bucket, error)
	Probe func(ctx context.Context, bucket string) error // checks that the bucket exists and may be written to
}

// Parse parses the URL of an archive, SCHEME://BUCKET/PREFIX?format=ndjson. The README has
// a table of the parameters.
func Parse(u *url.URL, o sink.Options, cloud Cloud) (sink.Spec, error) {
	s, err := parseConfig(u, o, cloud)
	if err != nil {
		return sink.Spec{}, err
	}
	return sink.Spec{
		Bins:  s.changes.rows != nil,
		New:   func(ctx context.Context) (sink.Sink, error) { return open(ctx, s, cloud, o.Metrics) },
		Probe: func(ctx context.Context) error { return cloud.Probe(ctx, s.bucketName) },
	}, nil
}

func parseConfig(u *url.URL, o sink.Options, cloud Cloud) (*config, error) {
	q := sink.NewQuery(u)
	if u.Host == "" {
		return nil, fmt.Errorf("want %s://BUCKET/PREFIX", u.Scheme)
	}
	s := &config{url: u.String(), bucketName: u.Host, timeout: o.Timeout}
	s.changes, s.deadLetters = parseEncoding(q)
	path, err := parseTemplate(strings.Trim(u.Path, "/"), q.Text("path", defaultPath))
	if err != nil {
		q.Fail("%w", err)
	}
	s.path = path
	linger := defaultLinger
	if o.OneAtATime {
		linger = 0
	}
	s.linger = q.Duration("linger", linger, 0, maxLinger)
	s.maxBytes = q.Size("max-bytes", defaultMaxBytes, 1, 1<<30)
	s.maxChanges = q.Integer("max-changes", defaultMaxChanges, 1, 10_000_000)
	s.maxInFlight = q.Size("max-in-flight", defaultMaxInFlight, 1, 1<<40)
	if cloud.Parameters != nil {
		cloud.Parameters(q)
	}
	return s, q.End()
}
