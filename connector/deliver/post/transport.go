package post

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// An HTTP/2 connection without traffic for pingAfter is pinged, and closed if there is no
// response within pingTimeout.
const (
	pingAfter   = 3 * time.Second
	pingTimeout = 2 * time.Second
)

// Proxy returns the proxy for requests to u, nil if there is none, from the environment
// variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
func Proxy(u *url.URL) (*url.URL, error) { return httpproxy.FromEnvironment().ProxyFunc()(u) }

// NewTransport returns a transport to the endpoint. Over HTTP/1.1 it opens no more
// connections than the endpoint may have; over HTTP/2 it is only used to dial.
func (e *Endpoint) NewTransport() *http.Transport {
	c, connections := e.config, e.config.Connections
	if c.Protocol == HTTP2 {
		connections = 0 // the endpoint limits them
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.Protocol == HTTP1)
	protocols.SetHTTP2(c.Protocol == HTTP2)
	protocols.SetUnencryptedHTTP2(c.Protocol == HTTP2)
	return &http.Transport{
		// The request that NewClientConn makes up has neither the URL's port nor its brackets.
		Proxy:                  func(*http.Request) (*url.URL, error) { return Proxy(e.url) },
		DialContext:            (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    c.ConnectTimeout,
		TLSClientConfig:        tlsConfig(c),
		Protocols:              protocols,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponse,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// tlsConfig returns a copy of c.TLS with the allowed versions of TLS and HTTP. Functions in
// it that return certificates are called at each handshake, so new connections use
// renewed certificates.
func tlsConfig(c Config) *tls.Config {
	t := &tls.Config{}
	if c.TLS != nil {
		t = c.TLS.Clone()
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS12
	}
	if c.Protocol == HTTP1 {
		// HTTP/2 forbids it (RFC 9113, 9.2.1). Servers that ask for a client certificate
		// only on some paths need it up to TLS 1.2.
		t.Renegotiation = tls.RenegotiateOnceAsClient
	}
	if verify := t.VerifyConnection; c.Protocol == HTTP2 {
		t.VerifyConnection = func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol != "h2" {
				return errNotHTTP2
			}
			if verify != nil {
				return verify(s)
			}
			return nil
		}
	}
	return t
}

var errNotHTTP2 = errors.New("the server does not negotiate HTTP/2")
