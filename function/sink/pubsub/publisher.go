package pubsub

import (
	"fmt"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// Requests under way at once. A lane that has something sends it at once as long as
// there are fewer than fewRequests. Beyond, only lanes go that are well filled or
// have waited for the linger, and of the latter spacing in that time: else hundreds
// of lanes would each send a little. A long linger must not make them stand in line
// for longer than Puts wait.
const (
	fewRequests  = 4
	mostRequests = 256
	spacing      = 20
	mostSpacing  = 500 * time.Microsecond // between two of them
)

// publisher carries parcels to the topic. It has no goroutine and no timer but while
// a Put waits for it.
type publisher struct {
	settings
	topic   topic
	room    int // bytes of a request for messages
	metrics *metrics

	overloaded, behind, early error // verdicts

	mu       sync.Mutex
	lanes    []lane
	line     line
	flying   int   // requests under way
	held     load  // what waits or is under way
	owed     int   // changes, of all lanes
	trouble  error // of the last answer, nil if it was good
	evidence evidence
	extra    time.Time   // when a lane last went because it had waited for the linger
	alarm    *time.Timer // for who is first in the line
	alarmSet bool

	workers sync.WaitGroup
}

func newPublisher(s settings, t topic) *publisher {
	p := &publisher{settings: s, topic: t, room: requestBytes - len(t.field)}
	p.lanes = newLanes(s.shards, &p.owed)
	p.overloaded = fmt.Errorf("publish to %s: %w: %d messages or %d bytes wait", s.url, sink.ErrOverloaded, s.maxMessages, s.maxBytes)
	p.behind = fmt.Errorf("publish to %s: a message of the same ordering key failed", s.url)
	p.early = fmt.Errorf("publish to %s: an earlier change of the record failed and has not come again", s.url)
	p.alarm = time.AfterFunc(time.Hour, p.wake)
	p.alarm.Stop()
	p.metrics = newMetrics(p)
	return p
}

// offer queues the parcels of a delivery, as far as there is room and they are due,
// and judges what is refused.
func (p *publisher) offer(d *delivery) {
	now := time.Now()
	d.done = make(chan struct{})
	a := admission{p: p, now: now}
	p.mu.Lock()
	defer p.mu.Unlock()
	d.open = len(d.parcels)
	for i := range d.parcels {
		it := &d.parcels[i]
		l := &p.lanes[it.lane]
		a.admit(l, it)
		if len(it.messages) == 0 {
			p.close(it)
			continue
		}
		p.held.add(it)
		l.add(it)
		p.lineUp(l, now)
	}
	p.launch(now)
}

// lineUp puts a lane where its turn comes as soon as it may.
func (p *publisher) lineUp(l *lane, now time.Time) {
	switch {
	case !l.mayFly():
		return
	case !l.inLine:
		p.line.join(l, now)
	case l.wellFilled() && !l.since.IsZero():
		p.line.quit(l)
		p.line.join(l, now)
	}
}

// launch starts a worker for each request that may go.
func (p *publisher) launch(now time.Time) {
	for r := p.next(now); r != nil; r = p.next(now) {
		p.workers.Go(func() { p.work(r) })
	}
}

// work carries requests out, r first, as long as there are any that may go.
func (p *publisher) work(r *request) {
	for r != nil {
		f := p.publish(r)
		r.release()
		r.cancel()
		p.mu.Lock()
		now := time.Now()
		p.settle(r, f, now)
		r = p.next(now)
		p.launch(now)
		p.mu.Unlock()
	}
}

// next returns the request of the lane whose turn it is, nil if none may go yet.
func (p *publisher) next(now time.Time) *request {
	l := p.line.first
	if l == nil {
		p.alarmSet = p.alarmSet && !p.alarm.Stop()
		return nil
	}
	if p.flying >= mostRequests {
		return nil // one that ends looks again
	}
	if wait := p.wait(l, now); wait > 0 {
		if !p.alarmSet {
			p.alarmSet = true
			p.alarm.Reset(wait)
		}
		return nil
	}
	if p.flying >= fewRequests && !l.since.IsZero() {
		p.extra = now
	}
	p.line.quit(l)
	r := newRequest(l, p.room)
	p.flying++
	p.lineUp(l, now)
	return r
}

// wait returns for how long the first lane in the line is to wait.
func (p *publisher) wait(l *lane, now time.Time) time.Duration {
	if p.flying < fewRequests || l.since.IsZero() {
		return 0
	}
	return max(p.linger-now.Sub(l.since), min(p.linger/spacing, mostSpacing)-now.Sub(p.extra))
}

// wake launches who has waited long enough.
func (p *publisher) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarmSet = false
	p.launch(time.Now())
}

// owing returns how many records owe changes. A lane that nothing comes to would
// remember them for longer than they are owed.
func (p *publisher) owing() int {
	n, now := 0, time.Now()
	for i := range p.lanes {
		p.lanes[i].debts.forget(now)
		n += len(p.lanes[i].debts.records)
	}
	return n
}
