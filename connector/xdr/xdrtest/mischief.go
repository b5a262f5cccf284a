package xdrtest

import (
	"bytes"
	"net"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Mischief is what a connector must stand. Shares are between 0 and 1. The zero
// Mischief is none.
type Mischief struct {
	Seed uint64 // of all that is random

	Split bool    // requests are written in pieces of 1 byte to 64 KiB that do not end where they do
	Again float64 // share of the acknowledged changes that are shipped once more
	Stale float64 // share after which the version before is shipped, over another connection
	Cut   float64 // share of the bursts after which the source breaks the connection

	Malformed      [][]byte // messages that no node sends, see [Source.Inject]
	MalformedShare float64  // of the acknowledged changes after which one of them comes
}

// largestPiece is how much Split writes at once at most.
const largestPiece = 64 << 10

// mischief queues what the record's acknowledgement gives rise to.
func (s *Source) mischief(r *record) {
	m := s.Mischief
	if s.random.Float64() < m.Again {
		s.queue(item{digest: r.now.Digest, lut: r.now.LUT})
	}
	if r.before != nil && s.random.Float64() < m.Stale {
		s.shipStale(r)
	}
	if len(m.Malformed) > 0 && s.random.Float64() < m.MalformedShare {
		message := m.Malformed[s.random.IntN(len(m.Malformed))]
		s.queue(item{digest: r.now.Digest, frame: message, version: Version{Digest: r.now.Digest}, once: true})
	}
}

// shipStale queues the version before the current one on the connection beside
// the record's own.
func (s *Source) shipStale(r *record) {
	frame, err := s.Policy.message(r, *r.before)
	if err != nil {
		s.abandon(err)
		return
	}
	links := s.links[0]
	l := links[(r.now.Digest.Partition()+1)%len(links)]
	l.queue.add(item{digest: r.now.Digest, frame: frame, version: VersionOf(r.before)})
	s.pending++
	s.stats.Stale++
	l.signal()
}

// write sends frames, in pieces and not to the end if mischief has it so.
func (s *Source) write(conn net.Conn, frames []xdr.Frame) error {
	if len(frames) == 0 {
		return nil
	}
	s.mu.Lock()
	cut := s.random.Float64() < s.Mischief.Cut
	s.mu.Unlock()
	if !s.Mischief.Split && !cut {
		burst := make(net.Buffers, len(frames))
		for i, f := range frames {
			burst[i] = f
		}
		_, err := burst.WriteTo(conn)
		return err
	}
	stream := make([][]byte, len(frames))
	for i, f := range frames {
		stream[i] = f
	}
	rest := bytes.Join(stream, nil)
	if cut {
		rest = rest[:len(rest)/2]
	}
	for len(rest) > 0 {
		n := min(s.piece(), len(rest))
		if _, err := conn.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if cut {
		return conn.Close()
	}
	return nil
}

// piece returns the size of the next write, small ones as likely as large ones.
func (s *Source) piece() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Mischief.Split {
		return largestPiece
	}
	return 1 + s.random.IntN(1<<s.random.IntN(17))
}
