package deliver

import (
	"net/url"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Config describes a destination. Zero values are not defaults: set every field whose
// comment does not say otherwise.
type Config struct {
	Name string
	URLs []*url.URL // of equivalent endpoints; at least one
	post.Config

	Health *HealthConfig // nil means no checks: every endpoint is healthy

	// HealthChanged is called when an endpoint becomes unhealthy or healthy again, by
	// several goroutines at once; may be nil.
	HealthChanged func(HealthChange)

	Queue       int           // changes waiting or in flight per endpoint; more are refused
	CallTimeout time.Duration // of a request, from its first byte to the end of the response

	Metrics *Metrics // may be nil
}

// lanes returns how many requests may be in flight at once.
func (c Config) lanes() int {
	n := c.Connections * len(c.URLs)
	if c.Protocol == post.HTTP2 {
		n *= c.Streams
	}
	return min(max(n, 1), maxLanes)
}

// maxLanes is Aerospike's number of partitions; more lanes would stay empty.
const maxLanes = 4096
