package deliver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Health says how the endpoints of a destination are checked: with a GET of the
// URL, to which any answer below 500 is a good one. Endpoints begin as healthy.
//
// While all is well a check comes every Interval. When a request got no answer
// the next check comes at once, and until the endpoint is healthy beyond doubt they
// come ten times as often: so it takes little more than UnhealthyThreshold tenths
// of an Interval to find out that an endpoint is gone, and no more than
// HealthyThreshold of them that it is back.
type Health struct {
	Interval           time.Duration // between checks
	CallTimeout        time.Duration // of one check
	HealthyThreshold   int           // good checks in a row after which an endpoint is healthy again
	UnhealthyThreshold int           // bad checks in a row after which it is not
}

// haste is how many times as often checks come in doubt.
const haste = 10

// health is what the checks of an endpoint say.
type health struct {
	rules  Health
	sick   bool
	streak int // checks in a row that contradict sick
}

// note takes the result of a check, and reports whether it settles all doubt.
func (h *health) note(good bool) (calm bool) {
	if good != h.sick {
		h.streak = 0
		return good
	}
	h.streak++
	threshold := h.rules.UnhealthyThreshold
	if h.sick {
		threshold = h.rules.HealthyThreshold
	}
	if h.streak >= threshold {
		h.sick, h.streak = !h.sick, 0
	}
	return good && !h.sick
}

// watch checks e until the destination is closed. An endpoint that asked for no
// requests gets none, and is alive.
func (d *Destination) watch(e *endpoint) {
	h := health{rules: *d.config.Health}
	probe := newTransport(d.config)
	probe.DisableKeepAlives = true // a check learns whether a new connection can be had
	soon := h.rules.Interval / haste
	atLeast, atMost := time.Duration(0), h.rules.Interval
	for d.client.pause(e, atLeast, atMost) {
		if d.gate.held(e) {
			atLeast, atMost = soon, h.rules.Interval
			continue
		}
		err := d.client.check(e, probe, h.rules.CallTimeout)
		if d.client.ctx.Err() != nil {
			return
		}
		d.counts.checked(err == nil)
		before := h.sick
		atLeast, atMost = soon, soon
		if h.note(err == nil) {
			atMost = h.rules.Interval
		}
		if h.sick != before || h.sick && err != nil {
			d.gate.judge(e, !h.sick, err)
		}
	}
}

// pause waits between two checks of e: shorter when there is doubt. It returns
// false when the destination is closed.
func (c *client) pause(e *endpoint, atLeast, atMost time.Duration) bool {
	select {
	case <-time.After(atLeast):
	case <-c.ctx.Done():
		return false
	}
	select {
	case <-time.After(atMost - atLeast):
	case <-e.doubt:
	case <-c.ctx.Done():
		return false
	}
	return true
}

// healthy returns how many endpoints are.
func (d *Destination) healthy() int {
	d.gate.mu.Lock()
	defer d.gate.mu.Unlock()
	n := 0
	for _, e := range d.endpoints {
		if !e.sick {
			n++
		}
	}
	return n
}

// check returns nil when e answers, else why it does not. A token that cannot be had
// is not the endpoint's fault: the check goes without.
func (c *client) check(e *endpoint, probe *http.Transport, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url.String(), nil)
	if err != nil {
		return fmt.Errorf("GET %s: a request cannot be made of the URL", e.place)
	}
	if header, err := c.config.header(nil); err == nil {
		req.Header = header
	}
	if c.config.Auth != nil {
		if value, err := c.config.Auth.Authorization(ctx); err == nil {
			req.Header.Set("Authorization", value)
		}
	}
	resp, err := probe.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("GET %s: %w", e.place, c.explain(err))
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return fmt.Errorf("GET %s: status %d, read answer: %w", e.place, resp.StatusCode, c.explain(err))
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("GET %s: status %d %s", e.place, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}
