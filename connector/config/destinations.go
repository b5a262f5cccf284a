package config

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
)

// Defaults of ESP, but for the last two.
const (
	defaultConnections    = 1
	defaultQueue          = 32768
	defaultCallTimeout    = time.Second
	defaultConnectTimeout = 300 * time.Millisecond

	// defaultStreams is what Cloud Run allows, and what ESP's samples set.
	defaultStreams = 100

	// defaultConnectionTTL lets connections follow a name that moves, since a name is looked
	// up for each new connection. ESP has no limit by default; its samples set this one.
	defaultConnectionTTL = 5 * time.Minute
)

func destinations(s *section) map[string]deliver.Config {
	m := map[string]deliver.Config{}
	for _, name := range s.Keys {
		m[name] = destination(name, s.Sub(name))
	}
	if len(m) == 0 {
		s.Doc.Error(s.Path, nil, "none; name one and give it urls")
	}
	return m
}

func destination(name string, s *section) deliver.Config {
	defer s.End()
	c := deliver.Config{
		Name: name,
		URLs: urls(s),
		Config: post.Config{
			Gzip:           s.Word("compression", "none", "none", "gzip") == "gzip",
			GzipThreshold:  s.Size("compression-threshold", 0, 0, math.MaxInt32),
			Connections:    s.Int("max-connections-per-endpoint", defaultConnections, 1, math.MaxInt16),
			Streams:        s.Int("http2-max-concurrent-streams", defaultStreams, 1, math.MaxInt16),
			ConnectTimeout: s.Timeout("connect-timeout", defaultConnectTimeout, time.Millisecond, time.Hour, 5*time.Millisecond),
			ConnectionTTL:  connectionTTL(s, defaultConnectionTTL),
			Headers:        headers(s.Dictionary("headers")),
			MediaTypes:     mediaTypes(s.Dictionary("headers")),
			Success:        successCodes(s),
		},
		Health:      health(s),
		Queue:       s.Int("max-request-queued-per-endpoint", defaultQueue, 1, math.MaxInt32),
		CallTimeout: s.Timeout("call-timeout", defaultCallTimeout, time.Millisecond, time.Hour, 20*time.Millisecond),
	}
	if s.Word("protocol", "HTTP_2", "HTTP_1_1", "HTTP_2") == "HTTP_1_1" {
		c.Protocol = post.HTTP1
	}
	c.Auth = authSource(s, c.URLs)
	if s.Has("tls") {
		t := s.Sub("tls")
		if files := tlsFiles(t); files != nil {
			c.TLS = files.Client(hosts(c.URLs))
		}
		t.End()
	}
	checkDestination(s, c)
	return c
}

func urls(s *section) []*url.URL {
	var list []*url.URL
	for i, text := range s.Texts("urls") {
		key := fmt.Sprintf("urls[%d]", i)
		u, err := url.Parse(text)
		switch {
		case err != nil: // the error would contain the URL, and perhaps a password
			s.Error(key, "invalid URL: want https://HOST/PATH or http://HOST/PATH")
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			s.Error(key, "invalid URL %q: want https://HOST/PATH or http://HOST/PATH", redacted(u))
		case u.User != nil:
			s.Error(key, "a user or password in the URL; send it in a header instead")
		case !isPort(u.Port()):
			s.Error(key, "port %s is not between 1 and %d", u.Port(), math.MaxUint16)
		case slices.ContainsFunc(list, func(other *url.URL) bool { return other.String() == u.String() }):
			s.Warn(key, "the same URL twice; raise max-connections-per-endpoint for more connections to it")
			list = append(list, u)
		default:
			list = append(list, u)
		}
	}
	if len(s.List("urls")) == 0 {
		s.Error("urls", "missing; a destination needs at least one URL")
	}
	return list
}

// redacted returns u without the parts that may be secret: the query, and the opaque part,
// which holds the password of a URL without a scheme.
func redacted(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// isPort reports whether port is a valid port of a URL. "" is the default of the scheme.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func hosts(urls []*url.URL) []string {
	names := make([]string, len(urls))
	for i, u := range urls {
		names[i] = u.Hostname()
	}
	return names
}

func successCodes(s *section) func(status int) bool {
	if !s.Has("http-success-status-codes") {
		return nil
	}
	var codes []int
	for i, n := range s.List("http-success-status-codes") {
		key := fmt.Sprintf("http-success-status-codes[%d]", i)
		if _, ok := strict.ParseInteger(n.Value); !ok {
			s.Error(key, "%s, want a status code from 100 to 599", strict.Describe(n))
			continue
		}
		codes = append(codes, s.ParseInt(key, n, 200, 100, 599))
	}
	if len(codes) == 0 {
		s.Error("http-success-status-codes", "empty, so nothing would ever be delivered; leave the key out for 200 to 299")
	}
	return func(status int) bool { return slices.Contains(codes, status) }
}

// checkDestination reports keys that are valid by themselves but not together.
func checkDestination(s *section, c deliver.Config) {
	if c.ConnectTimeout > c.CallTimeout && s.Valid("connect-timeout", "call-timeout") {
		s.Warn("connect-timeout", "%s never expires, since the whole request has %s; lower it below call-timeout", c.ConnectTimeout, c.CallTimeout)
	}
	if c.CallTimeout > Budget {
		s.Warn("call-timeout", "%s never expires, since the connector gives up %s after a change came, and XDR after %s; 8s leaves time for the reply", c.CallTimeout, Budget, patience)
	}
	if c.GzipThreshold > 0 && !c.Gzip && s.Valid("compression") {
		s.Warn("compression-threshold", "has no effect without compression: gzip")
	}
	if s.Has("http2-max-concurrent-streams") && c.Protocol == post.HTTP1 {
		s.Warn("http2-max-concurrent-streams", "has no effect with protocol: HTTP_1_1; raise max-connections-per-endpoint")
	}
	requests := c.Connections * len(c.URLs)
	if c.Protocol == post.HTTP2 {
		requests *= c.Streams
	}
	if requests > change.Partitions && s.Valid("max-connections-per-endpoint", "http2-max-concurrent-streams", "urls", "protocol") {
		s.Warn("max-connections-per-endpoint", "%d requests at once, of which only %d are ever used, one for each partition", requests, change.Partitions)
	}
	if s.Valid("urls", "protocol") {
		checkProxies(s, c)
	}
	if slices.ContainsFunc(c.Headers, func(h post.Header) bool { return h.Of == post.FactSecret }) {
		checkCovered(s, "headers", c.URLs)
	}
	if s.Has("tls") && s.Valid("urls") && !slices.ContainsFunc(c.URLs, func(u *url.URL) bool { return u.Scheme == "https" }) {
		s.Warn("tls", "has no effect for http URLs; write https")
	}
}

// checkProxies reports URLs that cannot be reached through their proxy.
func checkProxies(s *section, c deliver.Config) {
	for i, u := range c.URLs {
		key := fmt.Sprintf("urls[%d]", i)
		proxy, err := post.Proxy(u)
		switch {
		case err != nil:
			s.Error(key, "cannot find its proxy: %v", err)
		case proxy != nil && u.Scheme == "http" && c.Protocol == post.HTTP2:
			s.Error(key, "the proxy %s does not pass clear-text HTTP/2 on; use https, protocol: HTTP_1_1, or add %s to NO_PROXY", redacted(proxy), u.Host)
		}
	}
}
