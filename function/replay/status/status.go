// Package status prints how far a long command is, and what happens meanwhile. On a terminal
// the last line is the status, which is rewritten; elsewhere a line is printed now and then.
package status

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Intervals between two lines of status.
const (
	terminalInterval = 200 * time.Millisecond
	logInterval      = 10 * time.Second
)

// maxErrors bounds the lines that Errorf prints.
const maxErrors = 100

// Printer prints lines, and a line of status below them. It is safe for concurrent use. New
// returns one.
type Printer struct {
	out      io.Writer
	terminal bool
	line     func() string

	mu     sync.Mutex
	errors int  // printed by Errorf, or left out
	shown  bool // the last line on the terminal is the status
}

// New returns a Printer to out, which is a terminal or not. It calls line for the status, one
// call at a time.
func New(out io.Writer, terminal bool, line func() string) *Printer {
	return &Printer{out: out, terminal: terminal, line: line}
}

// Start prints the status until stop is called.
func (p *Printer) Start() (stop func()) {
	interval := logInterval
	if p.terminal {
		interval = terminalInterval
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.show()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	}
}

// Printf prints a line.
func (p *Printer) Printf(line string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = fmt.Fprintf(p.out, line+"\n", args...) // nothing depends on it
}

// Errorf prints a line about a change. There may be very many of them, so it prints the first
// 100 only.
func (p *Printer) Errorf(line string, args ...any) {
	p.mu.Lock()
	p.errors++
	n := p.errors
	p.mu.Unlock()
	switch {
	case n <= maxErrors:
		p.Printf(line, args...)
	case n == maxErrors+1:
		p.Printf("further errors are counted, not printed")
	}
}

// clear removes the status from the terminal.
func (p *Printer) clear() {
	if p.shown {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// show prints the status.
func (p *Printer) show() {
	line := p.line()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.terminal {
		p.shown = true
	} else {
		line += "\n"
	}
	_, _ = io.WriteString(p.out, line)
}
