package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// request is a change and the message that ships it.
type request struct {
	change change.Change
	frame  xdr.Frame
}

// reply is the reply to a request.
type reply struct {
	change *change.Change
	code   xdr.Code      // if err is nil
	took   time.Duration // from sending the request
	err    error         // why there is no reply
}

// outcome is what a database does with a change.
type outcome string

const (
	done      outcome = "done"
	again     outcome = "retry"     // it ships the change again
	abandoned outcome = "abandoned" // it never ships the change again
	noReply   outcome = "no-reply"  // it ships the change again, over another connection
)

// outcome returns what a database does after r.
func (r *reply) outcome() outcome {
	switch {
	case r.err != nil:
		return noReply
	case r.code.Done():
		return done
	case r.code.Retry():
		return again
	}
	return abandoned
}

// text returns r on one line. Like the log it has no key and no bin of the record.
func (r *reply) text() string {
	start := fmt.Sprintf("%-14s  %s  ", r.change.Op, r.change.Digest)
	if r.err != nil {
		return start + "no reply: the database ships it again"
	}
	meaning := map[outcome]string{
		done: "done", again: "the database ships it again", abandoned: "the database abandons it",
	}[r.outcome()]
	return fmt.Sprintf("%scode %d: %s, after %s", start, r.code, meaning, r.took.Round(100*time.Microsecond))
}

// replyObject is a reply in JSON.
type replyObject struct {
	Namespace    string   `json:"namespace"`
	Set          string   `json:"set"`
	Digest       string   `json:"digest"`
	Op           string   `json:"op"`
	Generation   uint32   `json:"generation"`
	LUT          int64    `json:"lut"`
	Code         *uint8   `json:"code"` // null without a reply
	Outcome      outcome  `json:"outcome"`
	Milliseconds *float64 `json:"milliseconds"` // null without a reply
}

// object returns r as it is written in JSON.
func (r *reply) object() replyObject {
	c := r.change
	o := replyObject{
		Namespace: c.Namespace, Set: c.Set, Digest: c.Digest.String(), Op: c.Op.String(),
		Generation: c.Generation, LUT: c.LUT, Outcome: r.outcome(),
	}
	if r.err == nil {
		code, took := uint8(r.code), float64(r.took.Microseconds())/1000
		o.Code, o.Milliseconds = &code, &took
	}
	return o
}

// sender sends requests over a connection as a node does: many before the first reply, which
// are matched by position.
type sender struct {
	conn    net.Conn
	timeout time.Duration // from a request to its reply
}

// window is how many requests a sender has in flight at most.
const window = 1000

// maxReply limits a reply, in bytes. A connector's has xdr.ReplySize, other receivers may add
// fields.
const maxReply = 4 << 10

// send sends the requests and calls each with the reply to each of them, in their order, until
// each returns an error. After the first reply that does not come, none is waited for, and the
// error of send is that of the connection.
func (s *sender) send(ctx context.Context, requests []request, each func(reply) error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() }) // which ends both directions
	defer stop()
	sent := make(chan time.Time, window)
	ended := make(chan struct{})
	var writing sync.WaitGroup
	var writeErr error
	writing.Go(func() {
		defer close(sent)
		writeErr = s.write(requests, sent, ended)
	})
	eachErr, lost := s.readReplies(requests, sent, each)
	close(ended)
	_ = s.conn.Close() // so that the writer ends too
	writing.Wait()
	switch {
	case eachErr != nil:
		return eachErr
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted", s.conn.RemoteAddr())
	case lost == nil:
		return nil
	case errors.Is(lost, errNotSent):
		lost = writeErr
	}
	return fmt.Errorf("%s: %w", s.conn.RemoteAddr(), s.explain(lost))
}

// write writes the requests, each after the time has been put into sent, until ended is closed.
func (s *sender) write(requests []request, sent chan<- time.Time, ended <-chan struct{}) error {
	for _, r := range requests {
		now := time.Now()
		select {
		case sent <- now:
		case <-ended:
			return nil
		}
		if err := s.conn.SetWriteDeadline(now.Add(s.timeout)); err != nil {
			return err
		}
		if _, err := s.conn.Write(r.frame); err != nil {
			return err
		}
	}
	return nil
}

// errNotSent is why a request has no reply if it was not written.
var errNotSent = errors.New("not sent")

// readReplies reads the replies and calls each. It returns the first error of each, and why
// there were no more replies; nil if all came.
func (s *sender) readReplies(requests []request, sent <-chan time.Time, each func(reply) error) (eachErr, lost error) {
	replies := xdr.NewReader(s.conn, maxReply)
	for i := range requests {
		r := reply{change: &requests[i].change}
		if lost == nil {
			r.code, r.took, lost = s.next(replies, sent)
		}
		r.err = lost
		if err := each(r); err != nil {
			return err, lost
		}
	}
	return nil, lost
}

// next returns the next reply, and how long it took.
func (s *sender) next(replies *xdr.Reader, sent <-chan time.Time) (xdr.Code, time.Duration, error) {
	at, ok := <-sent
	if !ok {
		return 0, 0, errNotSent
	}
	if err := s.conn.SetReadDeadline(at.Add(s.timeout)); err != nil {
		return 0, 0, err
	}
	f, err := replies.Next()
	if err != nil {
		return 0, 0, err
	}
	code, err := xdr.ParseReply(f)
	return code, time.Since(at), err
}

// explain says what the end of the connection may mean, and what to do.
func (s *sender) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no reply within %s; check that it is a connector, or wait longer with -timeout", s.timeout)
	case errors.As(err, new(*xdr.Error)):
		return fmt.Errorf("the reply is not XDR's: %w; check that -to is the XDR port of a connector", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isNetError(err):
		return fmt.Errorf("the connection ended before every reply came: %w; see the connector's log: it may not allow this machine (service.allow), expect TLS (-tls-ca) or a certificate (-tls-cert), or be stopping", err)
	}
	return err
}

func isNetError(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}
