package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// client makes the requests of one destination.
type client struct {
	config     Config
	transports []*http.Transport // over which the lanes are spread
	ctx        context.Context   // of every request; ends with abort
	abort      context.CancelFunc
}

type request struct {
	lane      int
	body      []byte
	mediaType string
	deadline  time.Time
	changes   int // in the body
}

func newClient(c Config) *client {
	cl := &client{config: c}
	cl.ctx, cl.abort = context.WithCancel(context.Background())
	// A transport opens as many HTTP/1.1 connections as it may, and of HTTP/2 one
	// to an endpoint, and another only when the server allows fewer requests at
	// once than come.
	n, most := 1, c.Connections
	if c.Protocol == HTTP2 {
		n, most = c.Connections, 0
	}
	for range n {
		cl.transports = append(cl.transports, newTransport(c, most))
	}
	return cl
}

// A connection without traffic for pingAfter is asked whether it is alive, and
// given up when it has not answered within pingTimeout.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// maxAnswer bounds what is read of an answer, in bytes. The rest costs the
// connection, so that a destination cannot dribble for ever.
const maxAnswer = 1 << 20

// newTransport returns a transport that opens at most the given number of
// connections to an endpoint; 0 is any number.
func newTransport(c Config, connections int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.Protocol == HTTP1)
	protocols.SetHTTP2(c.Protocol == HTTP2)
	protocols.SetUnencryptedHTTP2(c.Protocol == HTTP2)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    c.ConnectTimeout,
		TLSClientConfig:        c.TLS.Clone(),
		Protocols:              protocols,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// post sends one request and makes verdicts of what comes back: one for each
// change, or one error for all.
func (c *client) post(r request) ([]error, error) {
	ctx, cancel := context.WithDeadline(c.ctx, r.deadline)
	defer cancel()
	u := c.config.URLs[r.lane%len(c.config.URLs)]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", place(u), err)
	}
	for name, values := range c.config.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", r.mediaType)
	resp, err := c.transports[r.lane/len(c.config.URLs)%len(c.transports)].RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", place(u), c.explain(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("POST %s: status %d, read answer: %w", place(u), resp.StatusCode, err)
	}
	if c.succeeded(resp.StatusCode) {
		return nil, nil
	}
	err = fmt.Errorf("POST %s: status %s", place(u), resp.Status)
	refused := refusesBody(resp.StatusCode)
	if report := parseReport(resp.Header, answer, r.changes); report != nil {
		return report.verdicts(err, refused), nil
	}
	switch {
	case refused && r.changes == 1:
		return nil, change.Permanent(err)
	case refused: // of several changes it is not known which is meant
		return nil, fmt.Errorf("%w of a batch of %d", err, r.changes)
	}
	return nil, err
}

// refusesBody reports the statuses by which a destination says that it will never
// take this body. All others mean that the set-up or the hour is wrong.
func refusesBody(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (c *client) succeeded(status int) bool {
	if c.config.Success != nil {
		return c.config.Success(status)
	}
	return status >= 200 && status < 300
}

// explain adds what to do to errors of the transport that do not say it.
func (c *client) explain(err error) error {
	if c.ctx.Err() != nil {
		return errClosed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if c.config.Protocol == HTTP2 {
		return fmt.Errorf("%w (protocol is HTTP_2; if the server does not speak it, set HTTP_1_1)", err)
	}
	return err
}

// close gives back what idle connections hold.
func (c *client) close() {
	c.abort()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// place is the part of a URL that may be shown: not its user, and not its query,
// where secrets travel.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
