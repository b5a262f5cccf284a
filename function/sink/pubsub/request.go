package pubsub

import (
	"context"

	"github.com/aerosink/aerosink/connector/change"
)

// request is what goes to the topic at once: parcels of one lane.
type request struct {
	ctx     context.Context
	cancel  context.CancelFunc
	lane    *lane
	parcels []*parcel
	load    load
	waiting int // parcels whose Put waits; the publisher's lock guards it

	buffer *buffer
	data   []byte // the messages, in the buffer
	ends   []int  // of the messages in data
}

// newRequest returns the next request of a lane, of at most as many bytes as there
// is room for. Its context is its own: it may outlast any of the Puts that it is
// for, but not all.
func newRequest(l *lane, room int) *request {
	r := &request{lane: l}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.parcels, r.load = l.board(room)
	r.waiting = len(r.parcels)
	for _, p := range r.parcels {
		p.request = r
	}
	l.flying++
	return r
}

// leave notes that a Put waits no longer for one of the parcels.
func (r *request) leave() {
	r.waiting--
	if r.waiting == 0 {
		r.cancel()
	}
}

// assemble puts the messages one after another. Those of a single parcel stay where
// they are.
func (r *request) assemble() {
	if len(r.parcels) == 1 {
		r.buffer, r.data = r.parcels[0].d.buffer, r.parcels[0].data
		return
	}
	r.buffer = newBuffer(r.load.bytes)
	for _, p := range r.parcels {
		r.buffer.bytes = append(r.buffer.bytes, p.data...)
		p.d.buffer.release()
	}
	r.data = r.buffer.bytes
}

// part returns the bytes of messages from to to.
func (r *request) part(from, to int) []byte {
	if from == 0 && to == r.load.messages {
		return r.data
	}
	if r.ends == nil {
		r.ends = make([]int, 1, r.load.messages+1)
		start := 0
		for _, p := range r.parcels {
			for _, m := range p.messages {
				r.ends = append(r.ends, start+m.end)
			}
			start += len(p.data)
		}
	}
	return r.data[r.ends[from]:r.ends[to]]
}

// fate is what became of a request: of its first messages, so many were published
// or refused, all others failed because of err.
type fate struct {
	settled int
	refused []int
	refusal error // the permanent verdict on the refused
	err     error
}

// judge judges the changes of the request, and returns from which message on each
// parcel has failed.
func (f *fate) judge(r *request, metrics *metrics) (failed []int) {
	refused := f.refused
	at := 0
	for _, p := range r.parcels {
		failed = append(failed, min(max(f.settled-at, 0), len(p.messages)))
		for ; len(refused) > 0 && refused[0] < at+len(p.messages); refused = refused[1:] {
			p.d.judge(p.messages[refused[0]-at], change.Permanent(f.refusal))
		}
		for _, m := range p.messages[failed[len(failed)-1]:] {
			p.d.judge(m, f.err)
		}
		at += len(p.messages)
	}
	metrics.count(verdictPublished, f.settled-len(f.refused))
	metrics.count(verdictRefused, len(f.refused))
	metrics.count(verdictRetry, r.load.messages-f.settled)
	return failed
}
