package deliver

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// A connection without traffic for pingAfter is asked whether it is alive, and
// given up when it has not answered within pingTimeout.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// maxAnswer bounds what is read of an answer, in bytes. The rest costs the
// connection, so that a destination cannot dribble for ever.
const maxAnswer = 1 << 20

// newTransport returns a transport to one endpoint. Over HTTP/1.1 it opens no
// more connections than the endpoint may have; over HTTP/2 it only dials.
func newTransport(c Config) *http.Transport {
	connections := c.Connections
	if c.Protocol == HTTP2 {
		connections = 0 // the links are counted
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
		MaxResponseHeaderBytes: maxAnswer,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// tlsConfig returns a copy of c.TLS that says which versions of TLS and HTTP it allows.
// Certificates that it gets from its functions are asked for at each handshake, so
// that new connections have new ones.
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

var errNotHTTP2 = errors.New("the server does not agree on HTTP/2")
