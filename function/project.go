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

	// askInterval is the time between two requests if the first got no response.
	askInterval = 10 * time.Second
)

// projectName finds out which project the process runs in. Nothing waits for it.
type projectName struct {
	environment settings.Environment

	mu     sync.Mutex
	name   string
	asked  time.Time
	asking sync.WaitGroup
}

// get returns the name, "" while it is unknown: the environment's or, on Cloud Run, the
// metadata server's.
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
		return // log lines do without a trace; a later one asks again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

// close waits until no request is running.
func (p *projectName) close() { p.asking.Wait() }
