package connector

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/xdr"
)

// reader reads a session's frames and sends their changes to the destinations. Its fields
// are reused from one frame to the next.
type reader struct {
	*session
	decoder  *xdr.Decoder
	change   change.Change
	encoded  []byte
	counters *setCounters // of the last change
}

func newReader(s *session) *reader {
	return &reader{
		session:  s,
		decoder:  xdr.NewDecoder(s.server.config.MaxMessageBytes, s.server.config.Now),
		counters: s.server.metrics.sets.unknown,
	}
}

// run reads frames until the stream ends, its framing is lost, or the session is stopped.
func (r *reader) run() {
	frames := xdr.NewReader(r.in, r.server.config.MaxMessageBytes)
	for {
		frame, err := frames.Next()
		var malformed *xdr.Error
		switch {
		case err == nil:
			r.take(frame)
		case errors.As(err, &malformed) && !malformed.Framing():
			r.takeSkipped(frames.Skipped(), err)
		default:
			r.readFailed(err)
			return
		}
		if r.stopping.Load() {
			return
		}
	}
}

func (r *reader) readFailed(err error) {
	var malformed *xdr.Error
	switch {
	case errors.Is(err, io.EOF), r.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded):
	case errors.As(err, &malformed):
		r.server.metrics.framingLost.Inc()
		r.server.log.warn("closing connection: not an XDR stream", err, "remote", r.remote, "error", err)
	default:
		r.server.log.info("connection lost", err, "remote", r.remote, "error", err)
	}
}

// takeSkipped takes a message that the frame reader skipped because it is too large. It can
// become a dead letter without its bytes, if its beginning says which record it is of.
func (r *reader) takeSkipped(head xdr.Frame, err error) {
	sl, _ := r.enter(0) // it goes to no destination, so the error does not matter
	if r.identify(sl, head) && r.server.config.DeadLetters != nil {
		sl.message = head
	}
	r.conclude(sl, malformed, err)
}

// identify sets the slot's counters and digest from a message that cannot be decoded. It
// reports whether the message says which record it is of.
func (r *reader) identify(sl *slot, frame xdr.Frame) bool {
	if r.decoder.Identify(frame, &r.change) != nil {
		return false
	}
	sl.counters = r.server.metrics.sets.of(r.change.Namespace, r.change.Set)
	digest := r.change.Digest
	sl.digest = &digest
	return true
}

// take sends one frame's change to its destinations.
func (r *reader) take(frame xdr.Frame) {
	sl, err := r.enter(len(frame))
	if err != nil {
		r.conclude(sl, sent, err)
		return
	}
	if r.server.config.DeadLetters != nil {
		sl.message = frame
	}
	bins, err := r.decoder.Metadata(frame, &r.change)
	if err != nil {
		r.identify(sl, frame)
		r.conclude(sl, malformed, err)
		return
	}
	r.count(sl, len(frame))
	p := r.port.pipelines.Of(r.change.Namespace, r.change.Set)
	switch {
	case r.change.Set == xdr.MonitorSet:
		r.server.metrics.monitors.Inc()
		fallthrough
	case len(p.Destinations) == 0:
		r.conclude(sl, skipped, nil)
		return
	}
	encoded, err := r.encode(bins, &p)
	if err != nil {
		r.conclude(sl, outcomeOf(err), err)
		return
	}
	r.send(sl, &p, encoded)
	if cap(r.encoded) > maxKeptBytes {
		r.encoded = nil
	}
}

// maxKeptBytes is the largest buffer for encoded changes that a reader keeps.
const maxKeptBytes = 256 << 10

// errWaited is the verdict on a change that was read too late to be sent.
var errWaited = errors.New("the change has waited too long to be read")

// enter puts a frame of size bytes in flight, and returns its slot. An error says why the
// change cannot be sent.
func (r *reader) enter(size int) (*slot, error) {
	// If the node does not read its replies, slots stay in the queue although their
	// changes are no longer in flight. Nothing else bounds their number.
	for !r.queue.isBelow(2 * uint64(r.server.config.MaxRecords)) {
		<-r.space
	}
	arrived := r.timed.arrived
	deadline := arrived.Add(r.server.config.Budget)
	err := r.server.inFlight.admit(size, deadline)
	if err == nil && !time.Now().Before(deadline) {
		err = errWaited
	}
	sl := r.queue.next()
	sl.session, sl.arrived, sl.size, sl.counters = r.session, arrived, size, r.server.metrics.sets.unknown
	sl.missing.Store(1)
	return sl, err
}

// conclude sets the verdict of a slot whose change goes to no destination.
func (r *reader) conclude(sl *slot, o outcome, verdict error) {
	sl.outcome = o
	sl.Done(verdict)
	r.push(sl)
}

// push gives the slot to the writer. All of it but the verdict must be set.
func (r *reader) push(sl *slot) {
	r.queue.push(sl)
	r.slotDone(sl.seq)
}

// count sets the slot's counters and LUT, and counts the change as arrived.
func (r *reader) count(sl *slot, size int) {
	if r.change.Namespace != r.counters.namespace || r.change.Set != r.counters.set {
		r.counters = r.server.metrics.sets.of(r.change.Namespace, r.change.Set)
	}
	sl.counters, sl.lut = r.counters, r.change.LUT
	r.server.metrics.arrived(sl, size)
}

// encode returns the change in the format of its pipeline. The bytes are valid until the
// next call.
func (r *reader) encode(bins xdr.Bins, p *Pipeline) ([]byte, error) {
	if p.passesThrough() {
		return bins.Plain(), nil
	}
	if err := r.decoder.Bins(bins, &r.change); err != nil {
		return nil, err
	}
	if p.Transform != nil {
		if err := p.Transform.Apply(&r.change); err != nil {
			return nil, err
		}
	}
	encoded, err := p.Format.Append(r.encoded[:0], &r.change)
	r.encoded = encoded
	return encoded, err
}

func outcomeOf(err error) outcome {
	if e := (*xdr.Error)(nil); errors.As(err, &e) {
		return malformed
	}
	return sent
}

var errStale = errors.New("a newer version of the record was sent before")

// send sends the change to its destinations. With record ordering, it does not send a
// version after a newer one.
func (r *reader) send(sl *slot, p *Pipeline, encoded []byte) {
	if p.Ordering == nil {
		r.dispatch(sl, p, encoded)
		return
	}
	shard := r.port.ordering.shard(r.change.Digest)
	shard.Lock()
	defer shard.Unlock()
	if shard.claim(&r.change, sl.arrived, r.port.ordering.ttl) {
		r.dispatch(sl, p, encoded)
		return
	}
	err := errStale
	if p.Ordering.AckStale && r.change.Mode != change.Update { // the newer version may not have the bins of an update
		err = nil
	}
	r.conclude(sl, stale, err)
}

// dispatch gives the change to the destinations that do not have it.
func (r *reader) dispatch(sl *slot, p *Pipeline, encoded []byte) {
	missing := len(p.Destinations)
	if missing > 1 {
		sl.copies = r.port.delivered.copiesOf(sl, &r.change, missing)
		missing = sl.copies.missing()
	}
	if missing == 0 {
		r.conclude(sl, sent, nil)
		return
	}
	sl.missing.Store(int32(missing))
	extra := len(encoded) * missing
	sl.size += extra
	r.server.inFlight.grow(extra)
	item := deliver.Item{
		Stream: p.Stream, Record: encoded, Partition: r.change.Digest.Partition(), Digest: r.change.Digest,
		Namespace: r.change.Namespace, Set: r.change.Set,
		Deadline: sl.arrived.Add(r.server.config.Budget), To: sl,
	}
	copies := sl.copies
	r.push(sl)
	for i, d := range p.Destinations {
		if copies != nil {
			if item.To = copies.to(i); item.To == nil {
				continue
			}
		}
		d.Send(item)
	}
}
