package post

import (
	"crypto/tls"
	"maps"
	"net/http"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// Protocol is the version of HTTP that a destination speaks.
type Protocol int

// HTTP2 is negotiated with TLS, and assumed on an http URL (prior knowledge). There is no
// fallback from one to the other.
const (
	HTTP2 Protocol = iota
	HTTP1
)

// Config describes how requests to a destination are made. Zero values are not defaults: set
// every field whose comment does not say otherwise.
type Config struct {
	Protocol Protocol
	TLS      *tls.Config // for https; nil trusts the system's authorities
	Headers  []Header    // of every request

	// UserAgent is the User-Agent of every request, unless Headers have one; "" is Go's.
	UserAgent string

	// MediaTypes has the Content-Type of requests, by the media type of their body, where it
	// is another; may be nil.
	MediaTypes map[string]string

	Auth auth.Source // of every request; nil sends no Authorization

	Gzip          bool
	GzipThreshold int // bodies larger than this are compressed, in bytes

	Connections int // per endpoint
	Streams     int // requests in flight on an HTTP/2 connection

	ConnectTimeout time.Duration
	ConnectionTTL  time.Duration // approximate age at which a connection is replaced; 0 means never

	// Success reports whether a status means that the destination has the changes. Nil
	// means 200 to 299.
	Success func(status int) bool
}

// RequestsPerEndpoint returns how many requests an endpoint may have in flight.
func (c *Config) RequestsPerEndpoint() int {
	n := max(c.Connections, 1)
	if c.Protocol == HTTP2 {
		n *= max(c.Streams, 1)
	}
	return n
}

// TellsOrigin reports whether a header contains the namespace or the set of the changes.
func (c *Config) TellsOrigin() bool {
	for i := range c.Headers {
		if of := c.Headers[i].Of; of == FactNamespace || of == FactSet {
			return true
		}
	}
	return false
}

// contentType returns the Content-Type of requests whose body has a media type.
func (c *Config) contentType(mediaType string) string {
	if other, ok := c.MediaTypes[mediaType]; ok {
		return other
	}
	return mediaType
}

func (c *Config) isSuccess(status int) bool {
	if c.Success != nil {
		return c.Success(status)
	}
	return status >= 200 && status < 300
}

// header returns the headers of r, or of a health check if r is nil.
func (c *Config) header(r *Request) (http.Header, error) {
	header := make(http.Header, len(c.Headers)+4)
	for i := range c.Headers {
		if err := c.Headers[i].add(header, r); err != nil {
			return nil, err
		}
	}
	if r != nil {
		maps.Copy(header, r.Header)
	}
	if _, ok := header["User-Agent"]; !ok && c.UserAgent != "" {
		header["User-Agent"] = []string{c.UserAgent}
	}
	return header, nil
}
