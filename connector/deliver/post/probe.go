package post

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Probe is what a health check found.
type Probe struct {
	Status   int    // 0 if there was no complete response
	Location string // of a redirect, which is not followed; without user and query
	NoToken  error  // why the check was made without a token; nil if it had one or needs none
	Err      error  // why the endpoint is unhealthy; nil if it is healthy
}

// Check makes a health check: a GET of e. It returns nil if e responds with a status
// below 500, otherwise why e is unhealthy. If there is no token, the check is made without
// one, since a missing token says nothing about the endpoint.
func (c *Client) Check(e *Endpoint, transport *http.Transport, timeout time.Duration) error {
	return c.Probe(e, transport, timeout).Err
}

// Probe is like Check, and returns all that the check found.
func (c *Client) Probe(e *Endpoint, transport *http.Transport, timeout time.Duration) (p Probe) {
	token, err := c.token(timeout)
	p.NoToken = err
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url.String(), nil)
	if err != nil {
		p.Err = fmt.Errorf("GET %s: invalid URL", e.name)
		return p
	}
	if header, err := c.config.header(nil); err == nil {
		req.Header = header
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		p.Err = fmt.Errorf("GET %s: %w", e.name, c.explain(err))
		return p
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxResponse)); err != nil {
		p.Err = fmt.Errorf("GET %s: status %d, read response: %w", e.name, resp.StatusCode, c.explain(err))
		return p
	}
	p.Status = resp.StatusCode
	p.Location = location(resp)
	if resp.StatusCode >= http.StatusInternalServerError {
		p.Err = fmt.Errorf("GET %s: status %d %s", e.name, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return p
}

// token returns the Authorization of a health check, "" if it needs none. It does not take
// the time of the check itself, since it says nothing about the endpoint.
func (c *Client) token(timeout time.Duration) (string, error) {
	if c.config.Auth == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	return c.config.Auth.Authorization(ctx)
}
