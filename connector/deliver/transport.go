package deliver

import (
	"crypto/tls"
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
// more connections than the endpoint may have.
func newTransport(c Config) *http.Transport {
	connections := c.Connections
	if c.Protocol == HTTP2 {
		connections = 0 // any number: the requests in flight are bounded
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.Protocol == HTTP1)
	protocols.SetHTTP2(c.Protocol == HTTP2)
	protocols.SetUnencryptedHTTP2(c.Protocol == HTTP2)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    c.ConnectTimeout,
		TLSClientConfig:        atLeast12(c.TLS),
		Protocols:              protocols,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// atLeast12 returns a copy of c that says which versions it allows. Certificates
// that c gets from its functions are asked for at each handshake, so that new
// connections have new ones.
func atLeast12(c *tls.Config) *tls.Config {
	if c == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c = c.Clone()
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return c
}
