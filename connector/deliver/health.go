package deliver

import (
	"time"
)

// HealthConfig describes how the endpoints of a destination are checked: with a GET of the
// URL. A check succeeds if the response has a status below 500. Endpoints are healthy at
// first.
//
// Normally there is a check every Interval. After a request without a response the next
// check follows at once, and until the endpoint is certainly healthy, checks are ten times
// as frequent. So it takes little more than UnhealthyThreshold tenths of an Interval to
// notice that an endpoint is down, and at most HealthyThreshold tenths that it is back.
type HealthConfig struct {
	Interval           time.Duration // between checks
	CallTimeout        time.Duration // of one check
	HealthyThreshold   int           // successful checks in a row until an endpoint is healthy again
	UnhealthyThreshold int           // failed checks in a row until it is unhealthy
}

// HealthChange says that an endpoint has become unhealthy, or healthy again.
type HealthChange struct {
	Destination string
	Endpoint    string        // its URL, without user and query
	Healthy     bool          // now
	Err         error         // of the last check; nil if Healthy
	Unhealthy   time.Duration // how long it was unhealthy; 0 unless Healthy
}

// hurry multiplies the frequency of checks while the state is uncertain.
const hurry = 10

// healthCheck checks one endpoint.
type healthCheck struct {
	d         *Destination
	endpoint  *endpoint
	config    HealthConfig
	unhealthy bool
	since     time.Time // when it became unhealthy
	streak    int       // checks in a row that contradict unhealthy
}

// run checks the endpoint until the destination is closed.
func (h *healthCheck) run() {
	transport := h.endpoint.NewTransport()
	transport.DisableKeepAlives = true // a check is to find out whether a new connection can be opened
	soon := h.config.Interval / hurry
	atLeast, atMost := time.Duration(0), h.config.Interval
	for h.wait(atLeast, atMost) {
		err := h.d.client.Check(h.endpoint.Endpoint, transport, h.config.CallTimeout)
		if h.d.ctx.Err() != nil {
			return
		}
		h.d.metrics.countCheck(err == nil)
		before := h.unhealthy
		atLeast, atMost = soon, soon
		if h.record(err == nil) {
			atMost = h.config.Interval
		}
		if h.unhealthy != before || h.unhealthy && err != nil {
			h.d.gate.setHealth(h.endpoint, !h.unhealthy, err)
		}
		if h.unhealthy != before {
			h.notify(err)
		}
	}
}

// notify tells of a change of the endpoint's health. err is that of the last check.
func (h *healthCheck) notify(err error) {
	now := time.Now()
	c := HealthChange{Destination: h.d.config.Name, Endpoint: h.endpoint.Name(), Healthy: !h.unhealthy, Err: err}
	if h.unhealthy {
		h.since = now
	} else {
		c.Unhealthy = now.Sub(h.since)
	}
	if h.d.config.HealthChanged != nil {
		h.d.config.HealthChanged(c)
	}
}

// wait waits between two checks: for atLeast, and then until atMost or until a request got
// no response. It returns false when the destination is closed.
func (h *healthCheck) wait(atLeast, atMost time.Duration) bool {
	select {
	case <-time.After(atLeast):
	case <-h.d.ctx.Done():
		return false
	}
	select {
	case <-time.After(atMost - atLeast):
	case <-h.endpoint.noResponse:
	case <-h.d.ctx.Done():
		return false
	}
	return true
}

// record records the result of a check, and reports whether the endpoint is certainly
// healthy.
func (h *healthCheck) record(good bool) (certain bool) {
	if good != h.unhealthy {
		h.streak = 0
		return good
	}
	h.streak++
	threshold := h.config.UnhealthyThreshold
	if h.unhealthy {
		threshold = h.config.HealthyThreshold
	}
	if h.streak >= threshold {
		h.unhealthy, h.streak = !h.unhealthy, 0
	}
	return good && !h.unhealthy
}
