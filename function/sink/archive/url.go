package archive

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// settings are what the URL of an archive says.
type settings struct {
	url    string // as it was written
	bucket string
	path   template

	changes, letters *encoding

	timeout     time.Duration // of a Put
	linger      time.Duration // an object waits for more since its first part; 0 is never shared
	maxBytes    int64         // uncompressed, at which an object is closed
	maxChanges  int           // likewise
	maxInFlight int64         // bytes of all Puts at once
}

// The bounds of an object and what waits in memory, unless the URL says otherwise.
const (
	defaultLinger      = 250 * time.Millisecond
	maxLinger          = 4 * time.Second
	defaultMaxBytes    = 32 << 20
	defaultMaxChanges  = 100_000
	defaultMaxInFlight = 128 << 20
)

// Parse reads the URL of a prefix, gs://BUCKET/PREFIX?format=ndjson&compression=gzip.
// The README has a table of the parameters.
func Parse(u *url.URL, o sink.Options) (sink.Spec, error) {
	s, err := parseSettings(u)
	if err != nil {
		return sink.Spec{}, err
	}
	s.timeout = o.Timeout
	return sink.Spec{
		Bins:  s.changes.rows != nil,
		New:   func(ctx context.Context) (sink.Sink, error) { return open(ctx, s, o.Metrics) },
		Probe: s.probe,
	}, nil
}

func parseSettings(u *url.URL) (*settings, error) {
	q := sink.NewQuery(u)
	if u.Host == "" {
		return nil, errors.New("write gs://BUCKET/PREFIX")
	}
	s := &settings{url: u.String(), bucket: u.Host}
	s.changes, s.letters = parseEncoding(q)
	path, err := parseTemplate(strings.Trim(u.Path, "/"), q.Text("path", defaultPath))
	if err != nil {
		q.Fail("%w", err)
	}
	s.path = path
	s.linger = q.Duration("linger", defaultLinger, 0, maxLinger)
	s.maxBytes = q.Size("max-bytes", defaultMaxBytes, 1, 1<<30)
	s.maxChanges = q.Integer("max-changes", defaultMaxChanges, 1, 10_000_000)
	s.maxInFlight = q.Size("max-in-flight", defaultMaxInFlight, 1, 1<<40)
	return s, q.End()
}
