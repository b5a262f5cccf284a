package xdrtest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Faults are faults of nodes and networks that a connector must stand. Shares are between
// 0 and 1. The zero Faults has none.
type Faults struct {
	Seed uint64 // of all that is random

	Split bool    // requests are written in pieces of 1 byte to 64 KiB, which end anywhere
	Again float64 // share of the acknowledged changes that are shipped once more
	Stale float64 // share after which the version before is shipped, over another connection
	Cut   float64 // share of the bursts after which the source breaks the connection

	Malformed      [][]byte // messages that no node sends, see [Source.Inject]
	MalformedShare float64  // share of the acknowledged changes after which one of them is sent
}

// maxPiece bounds a piece of Split, in bytes.
const maxPiece = 64 << 10

// disturber makes the faults. It is safe for concurrent use.
type disturber struct {
	Faults
	mu     sync.Mutex
	random *rand.Rand
}

func newDisturber(f Faults) *disturber {
	return &disturber{Faults: f, random: rand.New(rand.NewPCG(f.Seed, 0))} //nolint:gosec // it must be repeatable
}

// happens reports whether a fault of that share happens now.
func (d *disturber) happens(share float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.Float64() < share
}

// malformed returns a malformed message, or nil if none is due.
func (d *disturber) malformed() []byte {
	if len(d.Malformed) == 0 || !d.happens(d.MalformedShare) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Malformed[d.random.IntN(len(d.Malformed))]
}

// write sends frames: in pieces with Split, half of them if the connection is to be cut.
func (d *disturber) write(conn net.Conn, frames []xdr.Frame) error {
	if len(frames) == 0 {
		return nil
	}
	stream := make(net.Buffers, len(frames))
	for i, f := range frames {
		stream[i] = f
	}
	cut := d.happens(d.Cut)
	if !d.Split && !cut {
		_, err := stream.WriteTo(conn)
		return err
	}
	rest := bytes.Join(stream, nil)
	if cut {
		rest = rest[:len(rest)/2]
	}
	for len(rest) > 0 {
		n := min(d.piece(), len(rest))
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
func (d *disturber) piece() int {
	if !d.Split {
		return maxPiece
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return 1 + d.random.IntN(1<<d.random.IntN(17))
}
