package pubsub

import (
	"context"

	"google.golang.org/grpc/mem"

	"github.com/aerosink/aerosink/connector/change"
)

// publishRequest is one publish request: chunks of one lane.
type publishRequest struct {
	ctx     context.Context
	cancel  context.CancelFunc
	lane    *lane
	chunks  []*chunk
	size    amount
	waiting int // chunks whose Put still waits; guarded by the publisher's lock
}

// newRequest returns the next request of a lane, with messages of at most maxBytes. It
// has a context of its own, which ends when none of its Puts waits any longer.
func newRequest(l *lane, maxBytes int) *publishRequest {
	r := &publishRequest{lane: l}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.chunks, r.size = l.takeRequest(maxBytes)
	r.waiting = len(r.chunks)
	for _, c := range r.chunks {
		c.request = r
	}
	l.inFlight++
	return r
}

// putGone notes that the Put of one of the chunks no longer waits.
func (r *publishRequest) putGone() {
	r.waiting--
	if r.waiting == 0 {
		r.cancel()
	}
}

// share appends the bytes of messages first to last for gRPC, without copying them.
func (r *publishRequest) share(to mem.BufferSlice, first, last int) mem.BufferSlice {
	for _, c := range r.chunks {
		if n := len(c.messages); first <= 0 && last >= n {
			to = append(to, c.put.buffer.share(&c.data))
		} else if first < n && last > 0 {
			part := c.data[c.start(max(first, 0)):c.start(min(last, n))]
			to = append(to, c.put.buffer.share(&part))
		}
		first -= len(c.messages)
		last -= len(c.messages)
	}
	return to
}

// releaseBuffers releases the buffers of the chunks.
func (r *publishRequest) releaseBuffers() {
	for _, c := range r.chunks {
		c.put.buffer.release()
	}
}

// requestResult is what became of the messages of a request.
type requestResult struct {
	done    int   // messages published or refused, from the first
	refused []int // indexes of the refused ones
	refusal error // why they were refused
	err     error // why the messages after the first done failed
}

// setVerdicts sets the verdicts on the changes of the request. It returns, for each
// chunk, the index of its first failed message.
func (res *requestResult) setVerdicts(r *publishRequest, metrics *metrics) (failed []int) {
	refused := res.refused
	at := 0
	for _, c := range r.chunks {
		failed = append(failed, min(max(res.done-at, 0), len(c.messages)))
		for ; len(refused) > 0 && refused[0] < at+len(c.messages); refused = refused[1:] {
			c.put.setVerdict(c.messages[refused[0]-at], change.Permanent(res.refusal))
		}
		for _, m := range c.messages[failed[len(failed)-1]:] {
			c.put.setVerdict(m, res.err)
		}
		at += len(c.messages)
	}
	metrics.count(verdictPublished, res.done-len(res.refused))
	metrics.count(verdictRefused, len(res.refused))
	metrics.count(verdictRetry, r.size.messages-res.done)
	return failed
}
