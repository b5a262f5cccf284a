package connector

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// readConn is a connection of which only Read is used.
type readConn struct {
	net.Conn
	read func(p []byte) (int, error)
}

func (c readConn) Read(p []byte) (int, error) { return c.read(p) }

// timedReads is a timedConn in a bubble of synctest, and what its next Read does.
type timedReads struct {
	*timedConn
	began   time.Time
	unread  int           // bytes in the system's buffer
	blocks  time.Duration // of the next Read
	arrives int           // bytes that arrive during the Read
	stopped bool          // the process is stopped while the Read blocks
}

func newTimedReads() *timedReads {
	r := &timedReads{began: time.Now()}
	r.timedConn = newTimedConn(readConn{read: r.next})
	r.timedConn.unread = func() int { return r.unread }
	r.heartbeat = newHeartbeat()
	return r
}

// sleep lets time pass, with or without beats.
func (r *timedReads) sleep(d time.Duration, stopped bool) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(beatInterval, time.Until(end)))
		if !stopped {
			r.heartbeat.beat(time.Now())
		}
	}
}

func (r *timedReads) next(p []byte) (int, error) {
	r.sleep(r.blocks, r.stopped)
	r.unread += r.arrives
	n := min(len(p), r.unread)
	r.unread -= n
	r.blocks, r.arrives, r.stopped = 0, 0, false
	return n, nil
}

// want reads n bytes, of which the last arrived at that time since the beginning.
func (r *timedReads) want(t *testing.T, n int, arrived time.Duration) {
	t.Helper()
	got, err := r.Read(make([]byte, n))
	if err != nil || got != n {
		t.Fatalf("%d bytes, %v, want %d", got, err, n)
	}
	if at := r.arrived.Sub(r.began); at != arrived {
		t.Errorf("the last of %d bytes arrived after %s, want %s", n, at, arrived)
	}
}

func TestTimedConn_arrived(t *testing.T) {
	const s = time.Second
	for name, test := range map[string]func(t *testing.T, r *timedReads){
		"after an idle time": func(t *testing.T, r *timedReads) {
			r.blocks, r.arrives = 60*s, 10
			r.want(t, 10, 60*s)
		},
		"while the reader was busy": func(t *testing.T, r *timedReads) {
			r.arrives = 10
			r.want(t, 10, 0)
			r.unread = 15
			r.sleep(5*s, false)
			r.arrives = 100
			r.want(t, 10, 0)
			r.want(t, 5, 0)
			r.want(t, 10, 5*s)
		},
		"partly while the reader was busy": func(t *testing.T, r *timedReads) {
			r.unread = 15
			r.sleep(5*s, false)
			r.arrives = 5
			r.want(t, 20, 5*s)
		},
		"after the reader was busy": func(t *testing.T, r *timedReads) {
			r.sleep(5*s, false)
			r.blocks, r.arrives = s, 10
			r.want(t, 10, 6*s)
		},
		"while the reader was busy twice": func(t *testing.T, r *timedReads) {
			r.unread = 20
			r.sleep(5*s, false)
			r.want(t, 10, 0)
			r.unread += 10
			r.sleep(3*s, false)
			r.want(t, 10, 0)
			r.want(t, 10, 5*s)
		},
		"while the process was stopped": func(t *testing.T, r *timedReads) {
			r.blocks, r.arrives = 4*s, 10
			r.want(t, 10, 4*s)
			r.blocks, r.arrives, r.stopped = 12*s, 30, true
			r.want(t, 10, 4*s)
			r.want(t, 20, 4*s)
			r.arrives = 10
			r.want(t, 10, 16*s)
		},
		"while the process was stopped and the reader was busy": func(t *testing.T, r *timedReads) {
			r.unread = 30
			r.sleep(12*s, true)
			r.want(t, 30, 0)
		},
		"long after the process was stopped": func(t *testing.T, r *timedReads) {
			r.sleep(50*time.Millisecond, false)
			r.Conn = readConn{read: func(p []byte) (int, error) {
				r.sleep(12*s, true)
				r.sleep(60*s, false)
				return len(p), nil
			}}
			r.want(t, 10, 72*s+50*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newTimedReads()) })
		})
	}
}

// A change that had to wait behind others for longer than the budget is not sent.
func TestReader_waitedTooLong(t *testing.T) {
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.Budget, c.MaxRecords = 300*time.Millisecond, 1 })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1), write(t, "s", 2), write(t, "s", 3), write(t, "s", 4))
	n.wantReplies(t, xdr.Retry, xdr.Retry) // the first is in flight, the second waits
	for i := range 4 {
		e.respond(int64(i+1), http.StatusOK)
	}
	n.wantReplies(t, xdr.Retry, xdr.Retry)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.bodies) > 1 {
		t.Errorf("%d requests, want the first only:\n%q", len(e.bodies), e.bodies)
	}
}
