package replay

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/plural"
)

// progress counts what a replay has done and prints it, with the errors. It is safe for
// concurrent use.
type progress struct {
	out      io.Writer
	terminal bool // rewrite the progress on one line

	begun   time.Time
	objects int     // to read
	total   int64   // their bytes
	before  Summary // of earlier runs

	records int       // that a restore has to write or delete; 0 while it reads the archive
	written time.Time // when it has begun to do so

	mu      sync.Mutex
	sum     Summary
	reached int64 // bytes read of the current object
	errors  int   // printed by errorf, or left out
	shown   bool  // the last line on the terminal is the progress
}

// Intervals between two lines of progress.
const (
	terminalInterval = 200 * time.Millisecond
	logInterval      = 10 * time.Second
)

// maxErrors bounds the lines that errorf prints.
const maxErrors = 100

// start prints progress until stop is called.
func (p *progress) start() (stop func()) {
	p.before = p.sum
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

// set sets the sum.
func (p *progress) set(s Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum = s
}

// write says that a restore now writes that many records, with the sum of an earlier run.
func (p *progress) write(records int, s Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum, p.before, p.records, p.written = s, s, records, time.Now()
}

// add adds s to the sum.
func (p *progress) add(s Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum = p.sum.plus(s)
	if s.Objects > 0 {
		p.reached = 0
	}
}

// reach sets how many bytes of the current object were read.
func (p *progress) reach(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached = bytes
}

// summary returns the sum so far.
func (p *progress) summary() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum
}

// printf prints a line.
func (p *progress) printf(line string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = fmt.Fprintf(p.out, line+"\n", args...) // nothing depends on it
}

// errorf prints a line about a change. There may be very many of them, so it prints the
// first maxErrors only.
func (p *progress) errorf(line string, args ...any) {
	p.mu.Lock()
	p.errors++
	n := p.errors
	p.mu.Unlock()
	switch {
	case n <= maxErrors:
		p.printf(line, args...)
	case n == maxErrors+1:
		p.printf("further errors are counted, not printed")
	}
}

// clear removes the line of progress from the terminal.
func (p *progress) clear() {
	if p.shown {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// show prints the line of progress.
func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	line := p.line(time.Since(p.begun))
	if p.terminal {
		p.shown = true
	} else {
		line += "\n"
	}
	_, _ = io.WriteString(p.out, line)
}

// line returns the line of progress after that time.
func (p *progress) line(taken time.Duration) string {
	if p.records > 0 {
		return p.recordsLine(time.Since(p.written))
	}
	objects, changes := p.sum.Objects-p.before.Objects, p.sum.Changes-p.before.Changes
	bytes := p.sum.Bytes - p.before.Bytes + p.reached
	line := fmt.Sprintf("%d of %s, %s, %.0f/s", objects, plural.Of(p.objects, "object"), plural.Of(changes, "change"), float64(changes)/taken.Seconds())
	if bytes > 0 && bytes < p.total {
		left := time.Duration(float64(taken) * float64(p.total-bytes) / float64(bytes))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	return line
}

// recordsLine returns the line of progress after a restore has written records for that time.
func (p *progress) recordsLine(taken time.Duration) string {
	handled, now := p.sum.handled(), p.sum.handled()-p.before.handled()
	line := fmt.Sprintf("%d of %s, %.0f/s", handled, plural.Of(p.records, "record"), float64(now)/taken.Seconds())
	if now > 0 && handled < p.records {
		left := time.Duration(float64(taken) * float64(p.records-handled) / float64(now))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	return line
}
