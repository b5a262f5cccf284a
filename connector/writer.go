package connector

import (
	"errors"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// writer writes the replies to a session's frames, in the order of the frames.
type writer struct{ *session }

const (
	// writeTimeout is how long a node may take to read replies before its connection is
	// closed.
	writeTimeout = 10 * time.Second

	// maxWrite is the most bytes of replies that go into one write.
	maxWrite = 2000 * xdr.ReplySize
)

// errBudget is the verdict on a change that has none when its budget ends.
var errBudget = errors.New("no verdict in time")

// run writes replies until the session has ended and all frames are answered. Replies that
// are ready are written together.
func (w writer) run() {
	var out []byte
	for {
		sl := w.queue.front()
		switch {
		case sl != nil && w.isDue(sl):
			out = xdr.AppendReply(out, w.reply(sl))
			w.queue.pop()
			if len(out) < maxWrite {
				continue
			}
		case sl == nil && w.readDone.Load() && w.queue.front() == nil:
			w.write(out)
			return
		case len(out) == 0:
			w.wait(sl)
			continue
		}
		select {
		case w.space <- struct{}{}:
		default:
		}
		w.write(out)
		out = out[:0]
	}
}

// isDue reports whether sl has its verdict, or must be answered without one.
func (w writer) isDue(sl *slot) bool {
	return sl.done.Load() || w.abandoned.Load() || time.Since(sl.arrived) >= w.server.config.Budget
}

// wait waits until sl is due or, if it is nil, until a slot is pushed or the session ends.
// It may return early.
func (w writer) wait(sl *slot) {
	var budget <-chan time.Time
	w.waiting.Store(w.queue.popped.Load() + 1)
	defer w.waiting.Store(0)
	switch {
	case sl == nil && (w.queue.front() != nil || w.readDone.Load()):
		return
	case sl != nil && w.isDue(sl):
		return
	case sl != nil:
		timer := time.NewTimer(time.Until(sl.arrived.Add(w.server.config.Budget)))
		defer timer.Stop()
		budget = timer.C
	}
	select {
	case <-w.wake:
	case <-budget:
	}
}

// reply returns the reply to sl, counts it, and logs all but plain deliveries.
func (w writer) reply(sl *slot) xdr.Code {
	if !sl.done.Load() {
		return w.retry(sl, errBudget)
	}
	if err := sl.verdict(); err != nil {
		return w.retry(sl, err)
	}
	if d := sl.deadLetter; d != nil {
		w.server.log.warn("change stored as a dead letter", d.reason, append(w.describe(sl), "reason", d.letter.Reason, "stored_in", w.server.config.DeadLetters.Where())...)
	}
	w.server.metrics.replied(sl, nil)
	return xdr.OK
}

// retry asks the database to ship the change again, and logs why.
func (w writer) retry(sl *slot, err error) xdr.Code {
	w.server.metrics.replied(sl, err)
	attributes := append(w.describe(sl), "error", err)
	var malformed *xdr.Error
	switch {
	case errors.As(err, &malformed) && malformed.Kind == xdr.OverLimit:
		hint := "raise service.max-message-bytes"
		if w.server.config.DeadLetters == nil {
			hint += ", or set dead-letters to go on without the message"
		}
		w.server.log.warn("message too large; asking for a retry", err, append(attributes, "hint", hint)...)
	case malformed != nil:
		attributes = append(attributes, "reason", malformed.Kind, "offset", malformed.Offset)
		w.server.log.warn("malformed message; asking for a retry", err, w.withHint(attributes)...)
	case change.IsPermanent(err):
		w.server.log.warn("change cannot be delivered; asking for a retry", err, w.withHint(attributes)...)
	default:
		w.server.log.warn("change not delivered; asking for a retry", err, attributes...)
	}
	return xdr.Retry
}

// describe returns the attributes of a log line about sl. Names and the digest are not users'
// data; keys are, and are not logged.
func (w writer) describe(sl *slot) []any {
	attributes := []any{"remote", w.remote}
	if c := sl.counters; c.namespace != "" {
		attributes = append(attributes, "namespace", c.namespace, "set", c.set)
	}
	if sl.done.Load() && sl.digest != nil { // until then it may be set
		attributes = append(attributes, "digest", sl.digest.String())
	}
	return attributes
}

// withHint adds that dead letters would help, unless there are some.
func (w writer) withHint(attributes []any) []any {
	if w.server.config.DeadLetters != nil {
		return attributes
	}
	return append(attributes, "hint", "set dead-letters to store such messages and go on")
}

// write writes replies. If it fails the session ends, and the database ships the changes in
// flight again over another connection.
func (w writer) write(out []byte) {
	if len(out) == 0 || w.abandoned.Load() {
		return
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // if it fails, so does the write
	if _, err := w.conn.Write(out); err != nil {
		w.server.log.info("connection lost", err, "remote", w.remote, "error", err)
		w.disconnect()
	}
}
