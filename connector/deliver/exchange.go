package deliver

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/report"
)

// exchange makes one request and determines what its response means for each item.
//
// A destination that refuses a batch will never accept at least one of its changes, but
// does not say which. The batch is split into halves, which are sent one after another in
// its place, until that change is alone. The job holds its lanes meanwhile, so nothing
// overtakes a half. If the first half is delivered, the second must contain the change, and
// is split without being sent. So one such change among n costs at most 2·log2(n)
// additional requests, and all others are delivered, in order.
type exchange struct {
	d        *Destination
	job      *job
	endpoint *endpoint
	batch    *batch
}

// run sends the batch, without the items whose deadline has passed, and tells each
// recipient its verdict.
func (x *exchange) run() {
	b, now := x.batch, time.Now()
	x.d.reject(b.remove(nil, tooLate(now)))
	if len(b.items) == 0 {
		x.d.gate.skip(x.endpoint)
	} else {
		resp := x.send(now)
		x.d.gate.leave(x.endpoint, b, now, resp)
		x.conclude(resp)
	}
	b.free()
}

func (x *exchange) send(now time.Time) *post.Response {
	b := x.batch
	r := &b.request
	r.Body, r.MediaType = b.stream.Envelope.Seal(b.records, len(b.items))
	r.Changes, r.Format, r.Deadline = len(b.items), b.stream.Envelope.Name(), b.latest()
	if call := now.Add(x.d.config.CallTimeout); call.Before(r.Deadline) {
		r.Deadline = call
	}
	if x.d.tellsOrigin {
		r.Namespace, r.Set = b.origin()
	}
	r.Digest = b.digest()
	resp := x.d.client.Post(x.endpoint.Endpoint, r)
	if resp.Failed {
		x.endpoint.signalNoResponse()
	}
	return resp
}

// conclude gives each item its verdict, or splits the batch.
func (x *exchange) conclude(resp *post.Response) {
	d, b := x.d, x.batch
	switch {
	case resp.Err == nil:
		d.refusals.Accepted()
		x.splitOther()
		x.endpoint.changes.succeeded.Add(uint64(len(b.items)))
		d.queued.Add(-int64(len(b.items)))
		for _, i := range b.items {
			i.to.Done(nil)
		}
	case resp.Report != nil:
		x.follow(resp)
	case !resp.Permanent:
		x.fail(b.items, x.describe(resp))
	case len(b.items) == 1:
		x.fail(b.items, x.refuse(resp.Err))
	case d.refusals.TooMany(): // one change shows whether that is still so
		x.job.batches = slices.Insert(x.job.batches, 0, b.half(0, 1))
		x.fail(b.items[1:], fmt.Errorf("%w of a batch of %d", resp.Err, len(b.items)))
	default:
		x.split(b, resp.Status != http.StatusRequestEntityTooLarge)
	}
}

// describe returns the error of a response, with what follows from a timeout.
func (x *exchange) describe(resp *post.Response) error {
	s, n := x.batch.stream, len(x.batch.items)
	if !resp.TimedOut || n == 1 {
		return resp.Err
	}
	return fmt.Errorf("%w to %d changes; requests carry at most %d for now, max-records is %d", resp.Err, n, x.d.gate.maxRecords(s), s.MaxRecords)
}

// follow gives each item its verdict from the response's report.
func (x *exchange) follow(resp *post.Response) {
	err := fmt.Errorf("%w: %s", resp.Err, resp.Report.Reason)
	for n, retry := range resp.Report.Retried() {
		one := x.batch.items[n : n+1]
		switch {
		case !retry:
			x.d.refusals.Accepted()
			x.endpoint.changes.succeeded.Add(1)
			x.d.queued.Add(-1)
			one[0].to.Done(nil)
		case resp.Permanent:
			x.fail(one, x.refuse(err))
		default:
			x.fail(one, err)
		}
	}
}

// refuse returns the verdict on one change that was refused with err. It is permanent,
// unless too many changes were refused in a row.
func (x *exchange) refuse(err error) error {
	if x.d.refusals.Refused() {
		return change.Permanent(err)
	}
	return fmt.Errorf("%w, like the %d before; check the format and the URL of the destination", err, report.MaxRefusals)
}

// fail gives items that were sent the verdict err.
func (x *exchange) fail(items []queuedItem, err error) {
	x.endpoint.changes.failed.Add(uint64(len(items)))
	x.d.queued.Add(-int64(len(items)))
	err = x.d.wrap(err)
	for _, i := range items {
		i.to.Done(err)
	}
}

// split puts the halves of b before the remaining batches of the job. certain means that
// one of the halves must be refused.
func (x *exchange) split(b *batch, certain bool) {
	n := len(b.items)
	first, second := b.half(0, n/2), b.half(n/2, n)
	if certain {
		first.other = second
	}
	x.job.batches = slices.Insert(x.job.batches, 0, first, second)
	x.d.metrics.splits.Inc()
}

// splitOther splits the second half after the first was delivered: the refused change must
// be in it.
func (x *exchange) splitOther() {
	batches, other := x.job.batches, x.batch.other
	if len(batches) > 0 && batches[0] == other && len(other.items) > 1 {
		x.job.batches = batches[1:]
		x.split(other, true)
	}
}
