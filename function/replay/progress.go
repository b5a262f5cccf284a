package replay

import (
	"fmt"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/replay/status"
)

// progress counts what a replay has done and prints it, with the errors. It is safe for
// concurrent use.
type progress struct {
	*status.Printer

	begun   time.Time
	objects int     // to read
	total   int64   // their bytes
	before  Summary // of earlier runs

	records int       // that a restore has to write or delete; 0 while it reads the archive
	written time.Time // when it has begun to do so

	mu      sync.Mutex
	sum     Summary
	reached int64 // bytes read of the current object
}

func newProgress(o *Options, sum Summary) *progress {
	p := &progress{begun: time.Now(), sum: sum, before: sum}
	p.Printer = status.New(o.Out, o.Terminal, p.line)
	return p
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

// line returns the line of progress.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.records > 0 {
		return p.recordsLine(time.Since(p.written))
	}
	taken := time.Since(p.begun)
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
