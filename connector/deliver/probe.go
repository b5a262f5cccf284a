package deliver

import (
	"context"
	"sync"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Probe makes a health check of each URL of c, all at the same time, as a [Destination]
// would. It returns what each check found.
func Probe(ctx context.Context, c Config) []post.Probe {
	timeout := c.CallTimeout
	if c.Health != nil {
		timeout = c.Health.CallTimeout
	}
	client := post.NewClient(ctx, c.Config, post.Metrics{})
	found := make([]post.Probe, len(c.URLs))
	var checks sync.WaitGroup
	for i, u := range c.URLs {
		checks.Go(func() {
			e := post.NewEndpoint(c.Config, u)
			transport := e.NewTransport()
			defer transport.CloseIdleConnections()
			found[i] = client.Probe(e, transport, timeout)
		})
	}
	checks.Wait()
	return found
}
