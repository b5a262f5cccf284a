package audit

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/newest"
)

// progress prints how far an audit is. It is safe for concurrent use.
type progress struct {
	out      io.Writer
	terminal bool // rewrite the progress on one line

	mu            sync.Mutex
	index         newest.Counts // of the archive, as far as it was read
	begun         time.Time     // the first scan; zero while the archive is read
	first, next   int           // partitions: where the scans began, and where they are
	before, count int64         // records: of earlier runs, and in all
	errors        int           // printed by errorf, or left out
	shown         bool          // the last line on the terminal is the progress
}

// Intervals between two lines of progress.
const (
	terminalInterval = 200 * time.Millisecond
	logInterval      = 10 * time.Second
)

// maxErrors bounds the lines that errorf prints.
const maxErrors = 100

func newProgress(out io.Writer, terminal bool, c *checkpoint) *progress {
	return &progress{out: out, terminal: terminal, first: c.Next, next: c.Next, before: c.Summary.Database, count: c.Summary.Database}
}

// start prints progress until stop is called.
func (p *progress) start() (stop func()) {
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

// indexed sets how much of the archive was read.
func (p *progress) indexed(c newest.Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index = c
}

// scanning says that the scans begin.
func (p *progress) scanning() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = time.Now()
}

// reach sets how many partitions were compared, and how many records.
func (p *progress) reach(next int, records int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.count = next, records
}

// printf prints a line.
func (p *progress) printf(line string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = fmt.Fprintf(p.out, line+"\n", args...) // nothing depends on it
}

// errorf prints a line about a change. There may be very many of them, so it prints the first
// maxErrors only.
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
	line := p.line(time.Now())
	if p.terminal {
		p.shown = true
	} else {
		line += "\n"
	}
	_, _ = io.WriteString(p.out, line)
}

// line returns the line of progress at a time.
func (p *progress) line(now time.Time) string {
	if p.begun.IsZero() {
		return fmt.Sprintf("reading the archive: %s, %s", plural.Of(p.index.Objects, "object"), plural.Of(p.index.Changes, "change"))
	}
	taken := now.Sub(p.begun)
	line := fmt.Sprintf("%d of %d partitions, %d records, %.0f/s", p.next, change.Partitions, p.count, float64(p.count-p.before)/taken.Seconds())
	if done, left := p.next-p.first, change.Partitions-p.next; done > 0 && left > 0 {
		line += ", " + (taken * time.Duration(left) / time.Duration(done)).Round(time.Second).String() + " left"
	}
	return line
}
