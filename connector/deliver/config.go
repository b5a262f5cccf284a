package deliver

import (
	"crypto/tls"
	"net/url"
	"time"
)

// Protocol is the version of HTTP that a destination speaks.
type Protocol int

// HTTP2 is negotiated over TLS, and on an http URL assumed (prior knowledge).
// There is no falling back from one to the other.
const (
	HTTP2 Protocol = iota
	HTTP1
)

// Config describes a destination. Zero values are not defaults: every field that
// has no comment to the contrary must be set.
type Config struct {
	Name     string
	URLs     []*url.URL // of endpoints that are as good as each other; at least one
	Protocol Protocol
	TLS      *tls.Config // for https; nil trusts the system's authorities
	Headers  []Header    // of every request
	Auth     Auth        // of every request; nil sends no Authorization

	Gzip          bool
	GzipThreshold int // bodies of more bytes than this are compressed

	Health *Health // nil takes every endpoint for healthy

	Connections int // per endpoint
	Streams     int // requests in flight on an HTTP/2 connection
	Queue       int // changes waiting or in flight per endpoint; beyond it they are refused

	CallTimeout    time.Duration // of a request, from its first byte to the end of its answer
	ConnectTimeout time.Duration
	ConnectionTTL  time.Duration // after about which a connection is replaced; 0 keeps it

	// Success reports whether a status means that the destination has the
	// changes. Nil means 200 to 299.
	Success func(status int) bool

	Metrics *Metrics // may be nil
}

// lanes returns how many requests may be in flight at once.
func (c Config) lanes() int {
	n := c.Connections * len(c.URLs)
	if c.Protocol == HTTP2 {
		n *= c.Streams
	}
	return min(max(n, 1), maxLanes)
}

// maxLanes is Aerospike's number of partitions; more lanes would stay empty.
const maxLanes = 4096
