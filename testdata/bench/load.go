package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// window is how many messages are unanswered on a connection at most.
const window = 4096

// load is one measurement.
type load struct {
	address     string
	stream      *stream
	connections int
	rate        float64 // changes a second on all connections; 0 is all that the receiver takes
	long        time.Duration
}

type result struct {
	answered int
	took     time.Duration
	cores    float64         // that the process had, of those there are
	waits    []time.Duration // from a message's being written to its reply; without a rate none
}

func (r result) rate() float64 { return float64(r.answered) / r.took.Seconds() }

func (r result) quantile(q float64) time.Duration {
	if len(r.waits) == 0 {
		return 0
	}
	return r.waits[int(q*float64(len(r.waits)-1))].Round(time.Microsecond)
}

// run ships for as long as the load says, and waits for the last replies.
func (l load) run() (result, error) {
	sessions := make([]*session, l.connections)
	errs := make([]error, l.connections)
	begin, before := time.Now(), processorTime()
	var running sync.WaitGroup
	for i := range sessions {
		sessions[i] = &session{load: l, first: i * distinct / l.connections, progress: make(chan struct{}, 1)}
		running.Go(func() { errs[i] = sessions[i].run(begin) })
	}
	running.Wait()
	r := result{took: time.Since(begin)}
	r.cores = (processorTime() - before).Seconds() / r.took.Seconds()
	for _, s := range sessions {
		r.answered += int(s.answered.Load())
		r.waits = append(r.waits, s.waits...)
	}
	slices.Sort(r.waits)
	return r, errors.Join(errs...)
}

// processorTime returns what the process has had so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails only for wrong arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// session is one connection.
type session struct {
	load     load
	first    int // message of the stream
	progress chan struct{}

	answered atomic.Int64
	sent     [window]time.Time // of the message with that number, modulo window
	waits    []time.Duration
}

func (s *session) run(begin time.Time) error {
	conn, err := net.Dial("tcp", s.load.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.read(conn) }()
	n, err := s.ship(conn, begin)
	if err != nil {
		return err
	}
	for int(s.answered.Load()) < n {
		select {
		case <-s.progress:
		case err := <-ended:
			return err
		}
	}
	_ = conn.Close() // which ends the reading
	<-ended
	return nil
}

// ship writes until the time is over, and returns how many messages it wrote.
func (s *session) ship(conn net.Conn, begin time.Time) (sent int, err error) {
	const pace = 250 * time.Microsecond
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		elapsed := time.Since(begin)
		if elapsed >= s.load.long {
			return sent, nil
		}
		n := window - (sent - int(s.answered.Load()))
		if s.load.rate > 0 {
			due := int(s.load.rate*elapsed.Seconds()/float64(s.load.connections)) - sent
			n = min(n, due)
		}
		if n <= 0 {
			select {
			case <-tick.C:
			case <-s.progress:
			}
			continue
		}
		bytes, got := s.load.stream.messages(s.first+sent, n)
		now := time.Now()
		for i := range got {
			s.sent[(sent+i)%window] = now
		}
		if _, err := conn.Write(bytes); err != nil {
			return sent, err
		}
		sent += got
	}
}

// read takes replies until the connection ends.
func (s *session) read(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	var reply [xdr.ReplySize]byte
	for n := 0; ; n++ {
		if _, err := io.ReadFull(in, reply[:]); err != nil {
			return fmt.Errorf("after %d replies: %w", n, err)
		}
		if code, err := xdr.ParseReply(reply[:]); err != nil || !code.Done() {
			return fmt.Errorf("reply %d has code %d, error %v", n, code, err)
		}
		if s.load.rate > 0 {
			s.waits = append(s.waits, time.Since(s.sent[n%window]))
		}
		if in.Buffered() < len(reply) {
			s.answered.Store(int64(n + 1))
			s.signal()
		}
	}
}

func (s *session) signal() {
	select {
	case s.progress <- struct{}{}:
	default:
	}
}
