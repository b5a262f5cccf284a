package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
)

// Limits on concurrent publish requests. With fewer than freeRequests in flight, a lane
// that has something to send gets a request at once. Beyond that, a lane gets one when it
// is well filled, or when it has waited for the linger. At most spacing lanes in each
// linger get one because they have waited: otherwise hundreds of lanes would each send a
// little. maxSpacing keeps a long linger from making lanes wait longer than Puts do.
const (
	freeRequests = 4
	maxRequests  = 256
	spacing      = 20
	maxSpacing   = 500 * time.Microsecond // between two requests after a linger
)

// backoff is the pause between attempts of a request, with full jitter.
var backoff = gax.Backoff{Initial: 50 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2}

// publisher is the sink: it publishes the chunks of Puts to the topic. It has a
// goroutine or a timer only while a Put waits for it.
type publisher struct {
	topicConfig
	topic           topic
	maxMessageBytes int // of the messages in a request
	metrics         *metrics
	registration    sink.Registration // of the metrics

	errOverloaded, errBehind, errEarlier error // verdicts

	mu           sync.Mutex
	lanes        []lane
	waitingLanes waitingLanes
	inFlight     int    // requests
	queued       amount // waiting or in flight
	retries      int    // changes that all lanes wait for
	lastErr      error  // from the last response; nil if it was good
	refusals     failures.Refusals
	lastLingered time.Time   // when a lane last went because its linger was over
	timer        *time.Timer // for the first waiting lane
	timerSet     bool

	workers sync.WaitGroup
}

func newPublisher(c topicConfig, t topic) *publisher {
	p := &publisher{topicConfig: c, topic: t, maxMessageBytes: requestBytes - len(t.field)}
	p.lanes = newLanes(c.shards, &p.retries)
	p.errOverloaded = fmt.Errorf("publish to %s: %w: the queue is at a limit: max-messages=%d, max-bytes=%d", c.url, sink.ErrOverloaded, c.maxMessages, c.maxBytes)
	p.errBehind = fmt.Errorf("publish to %s: an earlier message with the same ordering key failed", c.url)
	p.errEarlier = fmt.Errorf("publish to %s: an earlier change of the record failed and has not been retried yet", c.url)
	p.timer = time.AfterFunc(time.Hour, p.lingerOver)
	p.timer.Stop()
	p.metrics = newMetrics(p)
	return p
}

// Put implements [sink.Sink]. It waits until every message has its ID or a verdict.
func (p *publisher) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return sink.All(len(b.Changes), fmt.Errorf("publish to %s: %w", p.url, err))
	}
	put := newPut(p, b)
	defer put.buffer.release()
	if len(put.chunks) == 0 {
		return put.verdicts
	}
	p.enqueue(put)
	select {
	case <-put.done:
	case <-ctx.Done():
		p.abandon(put, ctx.Err())
	}
	return put.verdicts
}

// Close implements [sink.Sink].
func (p *publisher) Close() error {
	p.workers.Wait()
	p.registration.Unregister()
	return p.topic.client.Close()
}

// enqueue adds the chunks of a Put to their lanes. Messages that are not admitted get
// their verdict at once.
func (p *publisher) enqueue(put *pendingPut) {
	now := time.Now()
	put.done = make(chan struct{})
	a := admission{p: p, now: now}
	p.mu.Lock()
	defer p.mu.Unlock()
	put.unfinished = len(put.chunks)
	for i := range put.chunks {
		c := &put.chunks[i]
		l := &p.lanes[c.lane]
		a.admit(l, c)
		if len(c.messages) == 0 {
			p.finishUnsent(c)
			continue
		}
		p.queued.add(c)
		l.add(c)
		p.updateWaiting(l, now)
	}
	p.startWorkers(now)
}

// updateWaiting puts a lane that can send among the waiting ones, at the front once it
// is well filled.
func (p *publisher) updateWaiting(l *lane, now time.Time) {
	switch {
	case !l.canSend():
		return
	case !l.waiting:
		p.waitingLanes.push(l, now)
	case l.isWellFilled() && !l.waitingSince.IsZero():
		p.waitingLanes.remove(l)
		p.waitingLanes.push(l, now)
	}
}

// startWorkers starts a worker for each request that may go now.
func (p *publisher) startWorkers(now time.Time) {
	for r := p.next(now); r != nil; r = p.next(now) {
		p.workers.Go(func() { p.work(r) })
	}
}

// work publishes requests, r first, as long as there is one that may go.
func (p *publisher) work(r *publishRequest) {
	for r != nil {
		result := p.publish(r)
		r.releaseBuffers()
		r.cancel()
		p.mu.Lock()
		now := time.Now()
		p.finish(r, result, now)
		r = p.next(now)
		p.startWorkers(now)
		p.mu.Unlock()
	}
}

// next returns the request of the first waiting lane, nil if none may go yet.
func (p *publisher) next(now time.Time) *publishRequest {
	l := p.waitingLanes.first
	if l == nil {
		p.timerSet = p.timerSet && !p.timer.Stop()
		return nil
	}
	if p.inFlight >= maxRequests {
		return nil // the next request that ends calls next again
	}
	if wait := p.wait(l, now); wait > 0 {
		if !p.timerSet {
			p.timerSet = true
			p.timer.Reset(wait)
		}
		return nil
	}
	if p.inFlight >= freeRequests && !l.waitingSince.IsZero() {
		p.lastLingered = now
	}
	p.waitingLanes.remove(l)
	r := newRequest(l, p.maxMessageBytes)
	p.inFlight++
	p.updateWaiting(l, now)
	return r
}

// wait returns how much longer the first waiting lane has to wait.
func (p *publisher) wait(l *lane, now time.Time) time.Duration {
	if p.inFlight < freeRequests || l.waitingSince.IsZero() {
		return 0
	}
	return max(p.linger-now.Sub(l.waitingSince), min(p.linger/spacing, maxSpacing)-now.Sub(p.lastLingered))
}

// lingerOver sends what has waited long enough.
func (p *publisher) lingerOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timerSet = false
	p.startWorkers(time.Now())
}

// publish publishes a request and returns what became of its messages.
func (p *publisher) publish(r *publishRequest) requestResult {
	b := bisection{p: p, request: r}
	return b.result(b.publish(0, r.size.messages))
}

// try sends the messages [from, to) of r. It tries again while the error is transient and a
// Put waits for the result.
func (p *publisher) try(r *publishRequest, from, to int) error {
	pauses, began := backoff, time.Now()
	for {
		err := p.send(r, from, to)
		if err == nil {
			p.taken(r, from, to, began)
			return nil
		}
		err = fmt.Errorf("publish to %s: %w", p.url, err)
		if r.ctx.Err() != nil || !isTransient(status.Code(err)) {
			return err
		}
		p.setLastErr(err)
		if gax.Sleep(r.ctx, pauses.Pause()) != nil {
			return err
		}
	}
}

// send makes one attempt. It takes a third of a Put's time at most, so that another
// can follow one that is never answered.
func (p *publisher) send(r *publishRequest, from, to int) error {
	ctx, cancel := context.WithTimeout(r.ctx, p.timeout/3)
	defer cancel()
	bytes, err := p.topic.publish(ctx, r, from, to)
	p.metrics.request(status.Code(err), to-from, bytes)
	return err
}

// isTransient reports whether an error may pass by itself. Other errors mean that something
// is missing or forbidden.
func isTransient(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown, codes.Canceled:
		return true
	}
	return false
}

// taken notes that the topic has taken messages from to to, whose first attempt was sent at
// that time.
func (p *publisher) taken(r *publishRequest, from, to int, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals.Take(sent)
	p.lastErr = nil
	if p.refusals.IsEmpty(sent) {
		return
	}
	for content := range r.contents(from, to) {
		p.refusals.Forget(content)
	}
}

// lastTaken returns when the newest request was sent that the topic has taken.
func (p *publisher) lastTaken() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals.Taken()
}

// refused counts a refusal of a message with this content, and reports whether it is refused
// for what it holds: see [failures.Refusals.Add].
func (p *publisher) refused(content uint64, taken time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals.Add(content, taken, time.Now())
}

// setLastErr keeps a response's error, for Puts that give up waiting.
func (p *publisher) setLastErr(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err
}

// finish sets the verdicts on the changes of a request. With ordering, what failed
// and everything queued behind it has to come again, in this order.
func (p *publisher) finish(r *publishRequest, result requestResult, now time.Time) {
	l := r.lane
	l.inFlight--
	p.inFlight--
	failed := result.setVerdicts(r, p.metrics)
	if result.err != nil && l.key != "" && len(l.queue) > 0 {
		p.fail(l, l.remove(l.queue[0]), p.errBehind, now)
	}
	for i, c := range slices.Backward(r.chunks) {
		if c.put.abandoned && failed[i] < len(c.messages) {
			failed[i] = 0 // its Put has reported that all of it failed, so all of it comes again
		}
		p.expectRetries(l, c, c.messages[failed[i]:], now)
		p.queued.subtract(c)
		c.finished = true
		c.put.chunkDone()
	}
	if l.waiting && !l.canSend() {
		p.waitingLanes.remove(l)
	}
	p.updateWaiting(l, now)
}

// expectRetries notes that messages at the end of a chunk have failed.
func (p *publisher) expectRetries(l *lane, c *chunk, failed []message, now time.Time) {
	for _, m := range slices.Backward(failed) {
		l.retries.Expect(c.put.idsOf(m), now.Add(p.pause))
	}
}

// fail sets err as the verdict on chunks that were removed from a lane's queue.
func (p *publisher) fail(l *lane, removed []*chunk, err error, now time.Time) {
	for _, c := range slices.Backward(removed) {
		for _, m := range c.messages {
			c.put.setVerdict(m, err)
		}
		p.metrics.count(verdictRetry, len(c.messages))
		p.expectRetries(l, c, c.messages, now)
		p.queued.subtract(c)
		p.finishUnsent(c)
	}
}

// finishUnsent finishes a chunk that no request has carried.
func (p *publisher) finishUnsent(c *chunk) {
	c.put.buffer.release()
	c.finished = true
	c.put.chunkDone()
}

// abandon ends a Put that cannot wait any longer, because of err. A request that no
// other Put waits for is cancelled.
func (p *publisher) abandon(put *pendingPut, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = fmt.Errorf("publish to %s: %w", p.url, err)
	if p.lastErr != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w; the last response was: %w", err, p.lastErr)
	}
	now := time.Now()
	for i := range put.chunks {
		c := &put.chunks[i]
		switch {
		case c.finished:
		case c.request == nil:
			p.failQueued(c, err, now)
		default:
			for _, m := range c.messages {
				put.setVerdict(m, err)
			}
			c.request.putGone()
		}
	}
	put.abandoned = true
}

// failQueued fails a queued chunk because of err, and with ordering all behind it.
func (p *publisher) failQueued(c *chunk, err error, now time.Time) {
	l := &p.lanes[c.lane]
	removed := l.remove(c)
	p.fail(l, removed[1:], p.errBehind, now)
	p.fail(l, removed[:1], err, now)
	if l.waiting && !l.canSend() {
		p.waitingLanes.remove(l)
	}
}

// recordsWithRetries returns how many records wait for a retry. A lane that gets no
// changes drops the expired ones only here.
func (p *publisher) recordsWithRetries() int {
	n, now := 0, time.Now()
	for i := range p.lanes {
		n += p.lanes[i].retries.Records(now)
	}
	return n
}
