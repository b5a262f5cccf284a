package pubsub

import (
	"context"

	"google.golang.org/grpc/mem"

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

// lend appends the bytes of messages first to last, where they stand, for gRPC.
func (r *request) lend(to mem.BufferSlice, first, last int) mem.BufferSlice {
	for _, p := range r.parcels {
		if n := len(p.messages); first <= 0 && last >= n {
			to = append(to, p.d.buffer.lend(&p.data))
		} else if first < n && last > 0 {
			part := p.data[p.start(max(first, 0)):p.start(min(last, n))]
			to = append(to, p.d.buffer.lend(&part))
		}
		first -= len(p.messages)
		last -= len(p.messages)
	}
	return to
}

// release releases what holds the messages.
func (r *request) release() {
	for _, p := range r.parcels {
		p.d.buffer.release()
	}
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
