package config

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/deliver"
)

// ESP's defaults.
const (
	defaultConnections    = 1
	defaultQueue          = 32768
	defaultCallTimeout    = time.Second
	defaultConnectTimeout = 300 * time.Millisecond

	// defaultStreams is what Cloud Run allows, and what ESP's samples set.
	defaultStreams = 100
)

func destinations(s *section) map[string]deliver.Config {
	m := map[string]deliver.Config{}
	for _, name := range s.order {
		m[name] = destination(name, s.sub(name))
	}
	if len(m) == 0 {
		s.doc.fault(s.path, nil, "none; name one and give it urls")
	}
	return m
}

func destination(name string, s *section) deliver.Config {
	defer s.end()
	c := deliver.Config{
		Name:           name,
		URLs:           urls(s),
		Connections:    s.integer("max-connections-per-endpoint", defaultConnections, 1, math.MaxInt16),
		Streams:        s.integer("http2-max-concurrent-streams", defaultStreams, 1, math.MaxInt16),
		Queue:          s.integer("max-request-queued-per-endpoint", defaultQueue, 1, math.MaxInt32),
		CallTimeout:    s.duration("call-timeout", defaultCallTimeout, time.Millisecond, time.Hour, time.Millisecond),
		ConnectTimeout: s.duration("connect-timeout", defaultConnectTimeout, time.Millisecond, time.Hour, time.Millisecond),
		Headers:        headers(s.sub("headers")),
		Success:        successCodes(s),
	}
	if s.word("protocol", "HTTP_2", "HTTP_1_1", "HTTP_2") == "HTTP_1_1" {
		c.Protocol = deliver.HTTP1
	}
	if s.word("compression", "none", "none", "gzip") == "gzip" {
		s.fault("compression", "gzip is not supported yet; remove the key or say none")
	}
	s.integer("compression-threshold", 0, 0, math.MaxInt32)
	s.duration("connection-ttl", -time.Millisecond, -time.Millisecond, math.MaxInt64, time.Millisecond)
	s.ignored("connection-ttl", "connections are not recycled yet")
	health := s.sub("health-check")
	health.duration("call-timeout", time.Second, time.Millisecond, time.Hour, time.Millisecond)
	health.duration("interval-seconds", 5*time.Second, time.Second, 24*time.Hour, time.Second)
	health.integer("healthy-threshold", 3, 1, math.MaxInt32)
	health.integer("unhealthy-threshold", 3, 1, math.MaxInt32)
	health.end()
	s.ignored("health-check", "endpoints are not checked yet; what fails is shipped again")
	s.refused("tls", "only the system's certificate authorities are trusted yet; remove the key")
	return c
}

func urls(s *section) []*url.URL {
	var list []*url.URL
	for i, text := range s.texts("urls") {
		key := fmt.Sprintf("urls[%d]", i)
		u, err := url.Parse(text)
		switch {
		case err != nil: // which would show the URL, and a password in it
			s.fault(key, "no URL; write https://HOST/PATH")
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			s.fault(key, "%q is no URL of http or https; write https://HOST/PATH", u.Redacted())
		case u.User != nil:
			s.fault(key, "a user or password in the URL; send it in a header instead")
		default:
			list = append(list, u)
		}
	}
	if !s.has("urls") {
		s.fault("urls", "missing; a destination needs at least one URL")
	}
	return list
}

func headers(s *section) []deliver.Header {
	var h []deliver.Header
	for _, name := range s.order {
		values := s.texts(name)
		if !httpguts.ValidHeaderFieldName(name) {
			s.fault(name, "is no name of an HTTP header")
			continue
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				s.fault(name, "its value cannot stand in an HTTP header")
			}
			h = append(h, deliver.Header{Name: http.CanonicalHeaderKey(name), Text: v})
		}
		if slices.Contains([]string{"Content-Type", "Content-Length", "Content-Encoding", "Host"}, http.CanonicalHeaderKey(name)) {
			s.fault(name, "is set by the connector itself")
		}
	}
	return h
}

func successCodes(s *section) func(status int) bool {
	if !s.has("http-success-status-codes") {
		return nil
	}
	var codes []int
	for i, n := range s.list("http-success-status-codes") {
		if _, err := strconv.Atoi(n.Value); err != nil {
			s.fault(fmt.Sprintf("http-success-status-codes[%d]", i), "%s is no status code", describe(n))
			continue
		}
		codes = append(codes, s.parseInteger(fmt.Sprintf("http-success-status-codes[%d]", i), n, 200, 100, 599))
	}
	return func(status int) bool { return slices.Contains(codes, status) }
}
