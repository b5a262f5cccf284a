package function

import (
	"context"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"

	"github.com/aerosink/aerosink/function/settings"
)

const (
	// askTimeout bounds a request to the metadata server, which is on the same machine.
	askTimeout = 2 * time.Second

	// askInterval is the time before a request that failed is repeated.
	askInterval = 10 * time.Second
)

// projectName finds out which Google Cloud project the process runs in, without blocking.
type projectName struct {
	environment settings.Environment

	mu     sync.Mutex
	name   string
	asked  time.Time
	asking sync.WaitGroup
}

// get returns the name, "" while it is unknown. It is taken from the environment or, on Cloud
// Run, from the metadata server.
func (p *projectName) get() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name == "" {
		p.name = p.environment.Project()
	}
	if p.name == "" && p.environment.Getenv("K_SERVICE") != "" && time.Since(p.asked) > askInterval {
		p.asked = time.Now()
		p.asking.Go(p.ask)
	}
	return p.name
}

func (p *projectName) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	name, err := metadata.NewClient(nil).GetWithContext(ctx, "project/project-id")
	if err != nil {
		return // log lines have no trace until a later request succeeds
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

// close waits until no request to the metadata server is running.
func (p *projectName) close() { p.asking.Wait() }
