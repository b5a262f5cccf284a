package pubsub

import (
	"context"
	"iter"

	"google.golang.org/grpc/mem"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink/failures"
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

// at returns a message of the request, and its chunk.
func (r *publishRequest) at(index int) (*chunk, int) {
	for _, c := range r.chunks {
		if index < len(c.messages) {
			return c, index
		}
		index -= len(c.messages)
	}
	panic("pubsub: a request has fewer messages")
}

// idsOf returns the IDs of the changes of a message, nil without ordering.
func (r *publishRequest) idsOf(index int) []failures.ID {
	c, i := r.at(index)
	return c.put.idsOf(c.messages[i])
}

// contentOf returns a hash of the data of a message. The attributes do not count, since the
// trace of a repeated request is another.
func (r *publishRequest) contentOf(index int) uint64 {
	c, i := r.at(index)
	return c.contentOf(i)
}

// contents returns the hashes of the data of messages first to last.
func (r *publishRequest) contents(first, last int) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, c := range r.chunks {
			for i := max(first, 0); i < min(last, len(c.messages)); i++ {
				if !yield(c.contentOf(i)) {
					return
				}
			}
			first -= len(c.messages)
			last -= len(c.messages)
		}
	}
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
