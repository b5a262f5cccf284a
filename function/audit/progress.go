package audit

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/status"
)

// progress prints how far an audit is. It is safe for concurrent use.
type progress struct {
	*status.Printer

	mu            sync.Mutex
	index         newest.Counts // of the archive, as far as it was read
	begun         time.Time     // the first scan; zero while the archive is read
	first, next   int           // partitions: where the scans began, and where they are
	before, count int64         // records: of earlier runs, and in all
}

func newProgress(out io.Writer, terminal bool, c *checkpoint) *progress {
	p := &progress{first: c.Next, next: c.Next, before: c.Summary.Database, count: c.Summary.Database}
	p.Printer = status.New(out, terminal, p.line)
	return p
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

// line returns the line of progress.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun.IsZero() {
		return fmt.Sprintf("reading the archive: %s, %s", plural.Of(p.index.Objects, "object"), plural.Of(p.index.Changes, "change"))
	}
	taken := time.Since(p.begun)
	line := fmt.Sprintf("%d of %d partitions, %d records, %.0f/s", p.next, change.Partitions, p.count, float64(p.count-p.before)/taken.Seconds())
	if done, left := p.next-p.first, change.Partitions-p.next; done > 0 && left > 0 {
		line += ", " + (taken * time.Duration(left) / time.Duration(done)).Round(time.Second).String() + " left"
	}
	return line
}
