package deliver

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what destinations do. Those that Aerospike's Connect for ESP has
// too have its names and labels: they count changes, not requests, and "queued" is
// how many changes wait or are in flight now. A change that was never sent has no
// destination_endpoint. The others begin with aerosink_connector.
type Metrics struct {
	registerer prometheus.Registerer
}

// NewMetrics returns metrics that destinations register with r. Every one carries
// the label cluster_name.
func NewMetrics(r prometheus.Registerer, cluster string) *Metrics {
	return &Metrics{prometheus.WrapRegistererWith(prometheus.Labels{"cluster_name": cluster}, r)}
}

func (m *Metrics) register(c *counts) {
	if m != nil {
		m.registerer.MustRegister(c.collectors...)
	}
}

func (m *Metrics) unregister(c *counts) {
	if m == nil {
		return
	}
	for _, collector := range c.collectors {
		m.registerer.Unregister(collector)
	}
}

// counts are the metrics of one destination.
type counts struct {
	destination string
	collectors  []prometheus.Collector

	tallies      map[string]*tally // by endpoint
	unsent       *tally
	checks       [2]atomic.Uint64 // bad, good
	changes      prometheus.Histogram
	bytes        prometheus.Histogram
	responses    *prometheus.CounterVec
	splits       prometheus.Counter
	reauthorized prometheus.Counter
}

// tally counts changes.
type tally struct{ succeeded, failed atomic.Uint64 }

func newCounts(d *Destination) *counts {
	c := &counts{destination: d.config.Name, tallies: map[string]*tally{}}
	c.unsent = c.at("")
	c.esp("destination_requests", "Changes, by what became of them; queued ones wait or are in flight.", "queued",
		prometheus.Labels{"destination_endpoint": ""}, func() float64 { return float64(d.queued.Load()) })
	for good, status := range []string{"error", "success"} {
		c.esp("health_check", "Health checks, by status.", status, nil, func() float64 { return float64(c.checks[good].Load()) })
	}
	c.changes = c.histogram("batch_changes", "Changes in a request.", prometheus.ExponentialBuckets(1, 4, 7))
	c.bytes = c.histogram("batch_bytes", "Bytes of a request's body as it was sent.", prometheus.ExponentialBuckets(256, 4, 9))
	c.responses = prometheus.NewCounterVec(c.counter("http_responses_total", "Answers, by status."), []string{"status"})
	c.splits = prometheus.NewCounter(c.counter("splits_total", "Batches cut into halves because they were refused."))
	c.reauthorized = prometheus.NewCounter(c.counter("reauthorizations_total", "Requests repeated with a fresh token after a 401."))
	c.collectors = append(c.collectors, c.responses, c.splits, c.reauthorized)
	c.gauge("lane_depth", "Changes that wait in the lane with the most.", func() float64 { return float64(d.deepest()) })
	c.gauge("concurrency_limit", "Requests that may be in flight at once.", func() float64 { return float64(d.gate.allowed()) })
	c.gauge("requests_in_flight", "Requests that are.", func() float64 { return float64(d.gate.busy()) })
	c.gauge("endpoints_healthy", "Endpoints that are healthy.", func() float64 { return float64(d.healthy()) })
	if t, ok := d.config.Auth.(*GoogleIDToken); ok {
		c.tokens(t)
	}
	return c
}

// at returns the tally of the endpoint at host, which several URLs may share.
func (c *counts) at(host string) *tally {
	t, ok := c.tallies[host]
	if !ok {
		t = new(tally)
		c.tallies[host] = t
		for status, n := range map[string]*atomic.Uint64{"success": &t.succeeded, "error": &t.failed} {
			c.esp("destination_requests", "Changes, by what became of them; queued ones wait or are in flight.", status,
				prometheus.Labels{"destination_endpoint": host}, func() float64 { return float64(n.Load()) })
		}
	}
	return t
}

// esp adds a metric of ESP's. Where a counter and a gauge have one name there,
// they have no type here.
func (c *counts) esp(name, help, status string, labels prometheus.Labels, value func() float64) {
	all := prometheus.Labels{"destination": c.destination, "status": status}
	for k, v := range labels {
		all[k] = v
	}
	c.collectors = append(c.collectors, prometheus.NewUntypedFunc(prometheus.UntypedOpts{
		Name: "aerospike_esp_outbound_" + name, Help: help, ConstLabels: all,
	}, value))
}

const ours = "aerosink_connector_"

func (c *counts) labels() prometheus.Labels { return prometheus.Labels{"destination": c.destination} }

func (c *counts) counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: ours + name, Help: help, ConstLabels: c.labels()}
}

func (c *counts) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: ours + name, Help: help, ConstLabels: c.labels(), Buckets: buckets})
	c.collectors = append(c.collectors, h)
	return h
}

func (c *counts) gauge(name, help string, value func() float64) {
	c.collectors = append(c.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: ours + name, Help: help, ConstLabels: c.labels()}, value))
}

// tokens adds how often a token was fetched, and how long it serves.
func (c *counts) tokens(t *GoogleIDToken) {
	c.gauge("token_expiry_timestamp_seconds", "When the token in use expires, in Unix seconds; 0 while there is none.", func() float64 {
		if expires := t.expires(); !expires.IsZero() {
			return float64(expires.Unix())
		}
		return 0
	})
	for status, n := range map[string]*atomic.Uint64{"success": &t.fetched, "error": &t.missed} {
		opts := c.counter("token_refreshes_total", "Tokens asked for, by status.")
		opts.ConstLabels["status"] = status
		c.collectors = append(c.collectors, prometheus.NewCounterFunc(opts, func() float64 { return float64(n.Load()) }))
	}
}

// sent notes a request.
func (c *counts) sent(changes, bytes int) {
	c.changes.Observe(float64(changes))
	c.bytes.Observe(float64(bytes))
}

// responded notes an answer. A status without a name is "other", so that a
// destination cannot make up as many as it likes.
func (c *counts) responded(status int) {
	label := "other"
	if http.StatusText(status) != "" {
		label = strconv.Itoa(status)
	}
	c.responses.WithLabelValues(label).Inc()
}

func (c *counts) checked(good bool) {
	n := 0
	if good {
		n = 1
	}
	c.checks[n].Add(1)
}

func (d *Destination) deepest() int {
	most := 0
	for _, l := range d.lanes {
		most = max(most, l.depth())
	}
	return most
}
