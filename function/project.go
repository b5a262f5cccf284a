package function

import (
	"context"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"
)

const (
	// askTimeout bounds a question to the metadata server, which is in the same
	// machine.
	askTimeout = 2 * time.Second

	// askInterval is the time between two questions where the first had no answer.
	askInterval = 10 * time.Second
)

// projectName finds out in which project the process runs. Nothing waits for it.
type projectName struct {
	getenv func(string) string

	mu     sync.Mutex
	name   string
	asked  time.Time
	asking sync.WaitGroup
}

// get returns the name, "" as long as it is not known: the environment's, else, on
// Cloud Run, the metadata server's.
func (p *projectName) get() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name == "" {
		p.name = project.of(p.getenv)
	}
	if p.name == "" && p.getenv("K_SERVICE") != "" && time.Since(p.asked) > askInterval {
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
		return // lines without a trace are still lines, and another will ask again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

// close waits until nothing asks any more.
func (p *projectName) close() { p.asking.Wait() }
