package deliver

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/deliver/auth"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Metrics are the metrics of destinations. Those that Aerospike Connect for ESP has as well
// have the same names and labels: they count changes, not requests, and "queued" is how
// many changes wait or are in flight now. The destination_endpoint of changes that were
// never sent is empty. The names of the others begin with aerosink_connector.
type Metrics struct {
	registerer prometheus.Registerer
}

// NewMetrics returns metrics that destinations register with r. All of them have the label
// cluster_name.
func NewMetrics(r prometheus.Registerer, cluster string) *Metrics {
	return &Metrics{prometheus.WrapRegistererWith(prometheus.Labels{"cluster_name": cluster}, r)}
}

func (m *Metrics) register(c *destinationMetrics) {
	if m != nil {
		m.registerer.MustRegister(c.collectors...)
	}
}

func (m *Metrics) unregister(c *destinationMetrics) {
	if m == nil {
		return
	}
	for _, collector := range c.collectors {
		m.registerer.Unregister(collector)
	}
}

// destinationMetrics are the metrics of one destination.
type destinationMetrics struct {
	destination string
	collectors  []prometheus.Collector

	endpoints map[string]*changeCounters // by host
	unsent    *changeCounters
	checks    [2]atomic.Uint64 // failed, successful
	post      post.Metrics
	splits    prometheus.Counter
}

// changeCounters count changes by verdict.
type changeCounters struct{ succeeded, failed atomic.Uint64 }

func newDestinationMetrics(d *Destination) *destinationMetrics {
	c := &destinationMetrics{destination: d.config.Name, endpoints: map[string]*changeCounters{}}
	c.unsent = c.changesOf("")
	c.esp("destination_requests", "Changes, by what became of them; queued ones wait or are in flight.", "queued",
		prometheus.Labels{"destination_endpoint": ""}, func() float64 { return float64(d.queued.Load()) })
	for good, status := range []string{"error", "success"} {
		c.esp("health_check", "Health checks, by status.", status, nil, func() float64 { return float64(c.checks[good].Load()) })
	}
	c.post.Changes = c.histogram("batch_changes", "Changes in a request.", prometheus.ExponentialBuckets(1, 4, 7))
	c.post.Bytes = c.histogram("batch_bytes", "Bytes of a request's body as it was sent.", prometheus.ExponentialBuckets(256, 4, 9))
	c.post.Responses = prometheus.NewCounterVec(c.counter("http_responses_total", "Responses, by status."), []string{"status"})
	c.splits = prometheus.NewCounter(c.counter("splits_total", "Batches cut into halves because they were refused."))
	c.post.Reauthorizations = prometheus.NewCounter(c.counter("reauthorizations_total", "Requests repeated with a fresh token after a 401."))
	c.collectors = append(c.collectors, c.post.Responses, c.splits, c.post.Reauthorizations)
	c.gauge("lane_depth", "Changes that wait in the lane with the most.", func() float64 {
		most := 0
		for _, l := range d.lanes {
			most = max(most, l.depth())
		}
		return float64(most)
	})
	c.gauge("concurrency_limit", "Requests that may be in flight at once.", func() float64 { return float64(d.gate.max()) })
	c.gauge("batch_limit", "Changes that a request may carry: max-records, fewer after timeouts.", func() float64 { return float64(d.gate.batchLimit()) })
	c.gauge("requests_in_flight", "Requests in flight.", func() float64 { return float64(d.gate.busy()) })
	c.gauge("retry_after_seconds", "Seconds until requests go to all endpoints again, because of a Retry-After.", func() float64 { return d.gate.hold().Seconds() })
	c.gauge("endpoints_healthy", "Healthy endpoints.", func() float64 { return float64(d.gate.healthy()) })
	if t, ok := d.config.Auth.(*auth.GoogleIDToken); ok {
		c.tokens(t)
	}
	return c
}

// changesOf returns the counters of the endpoint at host, which several URLs may share.
func (c *destinationMetrics) changesOf(host string) *changeCounters {
	t, ok := c.endpoints[host]
	if !ok {
		t = new(changeCounters)
		c.endpoints[host] = t
		for status, n := range map[string]*atomic.Uint64{"success": &t.succeeded, "error": &t.failed} {
			c.esp("destination_requests", "Changes, by what became of them; queued ones wait or are in flight.", status,
				prometheus.Labels{"destination_endpoint": host}, func() float64 { return float64(n.Load()) })
		}
	}
	return t
}

// esp adds a metric of Connect for ESP, which has counters and gauges under one name. So
// they are untyped here.
func (c *destinationMetrics) esp(name, help, status string, labels prometheus.Labels, value func() float64) {
	all := prometheus.Labels{"destination": c.destination, "status": status}
	for k, v := range labels {
		all[k] = v
	}
	c.collectors = append(c.collectors, prometheus.NewUntypedFunc(prometheus.UntypedOpts{
		Name: "aerospike_esp_outbound_" + name, Help: help, ConstLabels: all,
	}, value))
}

const prefix = "aerosink_connector_"

func (c *destinationMetrics) labels() prometheus.Labels {
	return prometheus.Labels{"destination": c.destination}
}

func (c *destinationMetrics) counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: c.labels()}
}

func (c *destinationMetrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, ConstLabels: c.labels(), Buckets: buckets})
	c.collectors = append(c.collectors, h)
	return h
}

func (c *destinationMetrics) gauge(name, help string, value func() float64) {
	c.collectors = append(c.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help, ConstLabels: c.labels()}, value))
}

// tokens adds the metrics of t: how often tokens were fetched, and when the current one
// expires.
func (c *destinationMetrics) tokens(t *auth.GoogleIDToken) {
	c.gauge("token_expiry_timestamp_seconds", "When the token in use expires, in Unix seconds; 0 while there is none.", func() float64 {
		if expires := t.Expires(); !expires.IsZero() {
			return float64(expires.Unix())
		}
		return 0
	})
	for status, n := range map[string]func() uint64{"success": t.Fetched, "error": t.Failed} {
		opts := c.counter("token_refreshes_total", "Tokens asked for, by status.")
		opts.ConstLabels["status"] = status
		c.collectors = append(c.collectors, prometheus.NewCounterFunc(opts, func() float64 { return float64(n()) }))
	}
}

// countCheck counts a health check.
func (c *destinationMetrics) countCheck(good bool) {
	n := 0
	if good {
		n = 1
	}
	c.checks[n].Add(1)
}
