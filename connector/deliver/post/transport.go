package post

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// An HTTP/2 connection without traffic for pingAfter is pinged, and closed if there is no
// response within pingTimeout.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// NewTransport returns a transport to one endpoint. Over HTTP/1.1 it opens no more
// connections than the endpoint may have; over HTTP/2 it is only used to dial.
func NewTransport(c Config) *http.Transport {
	connections := c.Connections
	if c.Protocol == HTTP2 {
		connections = 0 // the endpoint limits them
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.Protocol == HTTP1)
	protocols.SetHTTP2(c.Protocol == HTTP2)
	protocols.SetUnencryptedHTTP2(c.Protocol == HTTP2)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
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
