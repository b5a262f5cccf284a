package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client makes the requests of one destination.
type client struct {
	config Config
	counts *counts
	ctx    context.Context // of every request; ends with abort
	abort  context.CancelFunc
}

func newClient(c Config, counts *counts) *client {
	cl := &client{config: c, counts: counts}
	cl.ctx, cl.abort = context.WithCancel(context.Background())
	return cl
}

// post sends b to e. It does not hold on to memory of b.
func (c *client) post(e *endpoint, b *batch, deadline time.Time) *answer {
	ctx, cancel := context.WithDeadline(c.ctx, deadline)
	defer cancel()
	header, err := c.config.header(b)
	if err != nil {
		return &answer{err: err}
	}
	content, mediaType := b.stream.Envelope.Seal(b.records, len(b.items))
	header.Set("Content-Type", mediaType)
	if c.config.Gzip && len(content) > c.config.GzipThreshold {
		if packed, ok := compress(b.packed, content); ok {
			b.packed, content = packed, packed
			header.Set("Content-Encoding", "gzip")
		}
	}
	c.counts.sent(len(b.items), len(content))
	if c.config.Auth != nil {
		return c.authorized(ctx, e, header, content, len(b.items))
	}
	return c.send(ctx, e, header, content, len(b.items))
}

// authorized sends content, and once more with a fresh authorization when the
// answer is 401.
func (c *client) authorized(ctx context.Context, e *endpoint, header http.Header, content []byte, n int) *answer {
	value, err := c.config.Auth.Authorization(ctx)
	if err != nil {
		return &answer{err: fmt.Errorf("authorize: %w", err)}
	}
	header.Set("Authorization", value)
	a := c.send(ctx, e, header, content, n)
	if a.status != http.StatusUnauthorized {
		return a
	}
	c.config.Auth.Rejected(value)
	fresh, err := c.config.Auth.Authorization(ctx)
	if err != nil || fresh == value {
		return a
	}
	c.counts.reauthorized.Inc()
	header = header.Clone() // the first request may hold on to its own
	header.Set("Authorization", fresh)
	return c.send(ctx, e, header, content, n)
}

// send makes one POST of content, which holds n changes.
func (c *client) send(ctx context.Context, e *endpoint, header http.Header, content []byte, n int) *answer {
	body := &body{data: content}
	defer body.revoke()
	req := (&http.Request{
		Method: http.MethodPost, URL: e.url, Host: e.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(content)), GetBody: body.open,
	}).WithContext(ctx)
	req.Body, _ = body.open()
	resp, l, err := e.roundTrip(req)
	defer e.put(l)
	if err != nil {
		return c.none(e, fmt.Errorf("POST %s: %w", e.place, c.explain(err)), err)
	}
	defer resp.Body.Close()
	c.counts.responded(resp.StatusCode)
	succeeded := c.succeeded(resp.StatusCode)
	text, err := read(resp.Body, succeeded)
	if err != nil {
		return c.none(e, fmt.Errorf("POST %s: status %d, read answer: %w", e.place, resp.StatusCode, c.explain(err)), err)
	}
	if succeeded {
		return &answer{status: resp.StatusCode}
	}
	a := readAnswer(resp, text, n, time.Now())
	a.err = fmt.Errorf("POST %s: status %d %s", e.place, resp.StatusCode, http.StatusText(resp.StatusCode))
	return a
}

// read reads an answer to its end, which frees the connection for others, and returns
// it unless it is idle talk.
func read(r io.Reader, idle bool) ([]byte, error) {
	r = io.LimitReader(r, maxAnswer)
	if idle {
		_, err := io.Copy(io.Discard, r)
		return nil, err
	}
	return io.ReadAll(r)
}

// none returns the answer where there was none, or not a whole one, because of an
// error that shown explains.
func (c *client) none(e *endpoint, shown, cause error) *answer {
	e.suspect()
	return &answer{err: shown, overload: errors.Is(cause, context.DeadlineExceeded)}
}

func (c *client) succeeded(status int) bool {
	if c.config.Success != nil {
		return c.config.Success(status)
	}
	return status >= 200 && status < 300
}

// explain adds what to do to errors of the transport that do not say it.
func (c *client) explain(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return errClosed
	case atDialling(err):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case c.config.Protocol == HTTP2:
		return fmt.Errorf("%w (protocol is HTTP_2; if the server does not speak it, set HTTP_1_1)", err)
	}
	return err
}
