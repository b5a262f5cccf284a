package connector

import (
	"errors"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/xdr"
)

// enter puts a frame of size bytes in flight.
func (s *session) enter(size int) (*slot, error) {
	s.awaitRoom()
	arrived := time.Now()
	err := s.server.bounds.admit(size, arrived.Add(s.server.config.Budget))
	sl := s.line.join()
	sl.session, sl.arrived, sl.size, sl.place = s, arrived, size, s.server.metrics.places.nowhere
	sl.missing.Store(1)
	return sl, err
}

// awaitRoom waits while the node leaves too many replies unread, more than there
// may be changes in flight: those that are answered are not in flight any more, and
// nothing else would bound them.
func (s *session) awaitRoom() {
	for !s.line.room(2 * uint64(s.server.config.MaxRecords)) {
		<-s.space
	}
}

// joined makes the slot visible to the writer, when all but its verdict is set.
func (s *session) joined(sl *slot) {
	s.line.push(sl)
	s.landed(sl.seq)
}

// settle is for a slot that goes to no destination.
func (s *session) settle(sl *slot, o outcome, verdict error) {
	sl.outcome = o
	sl.Done(verdict)
	s.joined(sl)
}

// refuse enters a message that was skipped before it could be decoded.
func (s *session) refuse(err error) {
	sl, _ := s.enter(0) // it goes nowhere anyhow
	s.settle(sl, malformed, err)
}

// take walks one frame to its destinations.
func (s *session) take(frame xdr.Frame) {
	sl, err := s.enter(len(frame))
	if err != nil {
		s.settle(sl, sent, err)
		return
	}
	if s.server.config.DeadLetters != nil {
		sl.message = frame
	}
	bins, err := s.decoder.Metadata(frame, &s.change)
	if err != nil {
		s.settle(sl, malformed, err)
		return
	}
	s.describe(sl, len(frame))
	to := s.server.config.Treatments.Of(s.change.Namespace, s.change.Set)
	switch {
	case s.change.Set == xdr.MonitorSet:
		s.server.metrics.monitors.Inc()
		fallthrough
	case len(to.Destinations) == 0:
		s.settle(sl, skipped, nil)
		return
	}
	encoded, err := s.encode(bins, &to)
	if err != nil {
		s.settle(sl, outcomeOf(err), err)
		return
	}
	s.send(sl, &to, encoded)
	if cap(s.encoded) > keptBytes {
		s.encoded = nil
	}
}

// keptBytes is the most memory that a session keeps to encode changes in.
const keptBytes = 256 << 10

// describe takes from the change what is counted of it.
func (s *session) describe(sl *slot, size int) {
	if s.change.Namespace != s.place.namespace || s.change.Set != s.place.set {
		s.place = s.server.metrics.places.of(s.change.Namespace, s.change.Set)
	}
	sl.place, sl.lut = s.place, s.change.LUT
	s.server.metrics.arrived(sl, size)
}

func outcomeOf(err error) outcome {
	if fault := (*xdr.Error)(nil); errors.As(err, &fault) {
		return malformed
	}
	return sent
}

// encode returns the change in the format of its treatment. What it returns holds
// until the next call.
func (s *session) encode(bins xdr.Bins, to *Treatment) ([]byte, error) {
	if to.passes() {
		return bins.Plain(), nil
	}
	if err := s.decoder.Bins(bins, &s.change); err != nil {
		return nil, err
	}
	if to.Transform != nil {
		if err := to.Transform.Apply(&s.change); err != nil {
			return nil, err
		}
	}
	encoded, err := to.Format.Append(s.encoded[:0], &s.change)
	s.encoded = encoded
	return encoded, err
}

// send gives the change to its destinations, in the order of its record's
// versions if that is asked for.
func (s *session) send(sl *slot, to *Treatment, encoded []byte) {
	if to.Ordering == nil {
		s.dispatch(sl, to, encoded)
		return
	}
	shard := s.server.order.shard(s.change.Digest)
	shard.Lock()
	defer shard.Unlock()
	if s.server.order.claim(shard, &s.change, sl.arrived) {
		s.dispatch(sl, to, encoded)
		return
	}
	err := errStale
	if to.Ordering.AckStale && s.change.Mode != change.Update { // an update may be all there is of its bins
		err = nil
	}
	s.settle(sl, stale, err)
}

var errStale = errors.New("a newer version of the record was sent before")

// dispatch puts the change in the lanes of the destinations that do not have it.
func (s *session) dispatch(sl *slot, to *Treatment, encoded []byte) {
	missing := len(to.Destinations)
	if missing > 1 {
		sl.copies = s.server.repeats.copiesOf(sl, &s.change, missing)
		missing = sl.copies.missing()
	}
	if missing == 0 {
		s.settle(sl, sent, nil)
		return
	}
	sl.missing.Store(int32(missing))
	extra := len(encoded) * missing
	sl.size += extra
	s.server.bounds.grow(extra)
	p := deliver.Item{
		Stream: to.Stream, Record: encoded, Partition: s.change.Digest.Partition(),
		Namespace: s.change.Namespace, Set: s.change.Set,
		Deadline: sl.arrived.Add(s.server.config.Budget), To: sl,
	}
	copies := sl.copies
	s.joined(sl)
	for i, d := range to.Destinations {
		if copies != nil {
			if p.To = copies.to(i); p.To == nil {
				continue
			}
		}
		d.Send(p)
	}
}
