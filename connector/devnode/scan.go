package devnode

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// scanChunk is how many records of a partition are read at once.
const scanChunk = 512

// scanner answers a scan: it goes through partitions, and through each in descending order of
// the digests.
type scanner struct {
	*connection
	at      time.Time
	left    uint64 // records that may be sent
	rate    uint32 // records per second; 0 is no limit
	sent    int
	records []*change.Change
}

// scan answers a scan of partitions.
func (c *connection) scan() {
	r := &c.request
	s := scanner{connection: c, at: c.node.now(), left: math.MaxUint64}
	code := r.checkScan()
	if code == OK {
		code = c.filter.compile(r.filter)
	}
	if code != OK {
		c.fail(code)
		return
	}
	if most := r.maxRecords; most != nil {
		if n := binary.BigEndian.Uint64(most); n > 0 {
			s.left = n
		}
	}
	if r.rate != nil {
		s.rate = binary.BigEndian.Uint32(r.rate)
	}
	if !r.hasOperations() {
		s.all()
	}
	c.answer.last(OK)
}

// checkScan returns the code of a scan that is invalid.
func (r *request) checkScan() Code {
	switch {
	case r.isWrite(): // operations in the background
		return Unsupported
	case r.hasIndex:
		return NoIndex
	case r.partitions == nil && r.digests == nil: // as clients asked before release 6.0
		return Unsupported
	case len(r.partitions)%2 != 0, len(r.digests)%digestSize != 0, len(r.partitions)+len(r.digests) == 0,
		r.maxRecords != nil && len(r.maxRecords) != 8, r.rate != nil && len(r.rate) != 4:
		return Parameter
	}
	for b := r.partitions; len(b) > 0; b = b[2:] {
		if binary.LittleEndian.Uint16(b) >= change.Partitions {
			return Parameter
		}
	}
	return OK
}

// hasOperations reports whether a scan is to do more with bins than to read them. A server
// of release 8.0 answers that with no records, and no error.
func (r *request) hasOperations() bool {
	return r.info1&info1NoBins == 0 && slices.ContainsFunc(r.ops, func(op operation) bool { return op.code != opRead })
}

// all scans the partitions of the request.
func (s *scanner) all() {
	r := &s.request
	for b := r.partitions; len(b) > 0; b = b[2:] {
		s.partition(int(binary.LittleEndian.Uint16(b)), nil)
	}
	for b := r.digests; len(b) > 0; b = b[digestSize:] {
		after := change.Digest(b[:digestSize])
		s.partition(after.Partition(), &after)
	}
}

// partition sends the records of a partition that are behind a digest.
func (s *scanner) partition(p int, after *change.Digest) {
	for s.left > 0 && s.answer.err == nil {
		s.records = s.node.source.Scan(s.records[:0], s.names.of(s.request.namespace), p, after, scanChunk)
		for _, c := range s.records {
			s.record(c)
		}
		if len(s.records) < scanChunk {
			return
		}
		after = &s.records[len(s.records)-1].Digest
	}
}

// record sends a record if it is asked for.
func (s *scanner) record(c *change.Change) {
	r := &s.request
	if s.left == 0 || len(r.set) > 0 && string(r.set) != c.Set || !s.filter.matches(c, s.at) || !r.hasBin(c) {
		return
	}
	s.left--
	s.pace()
	a := &s.answer
	a.message(message{info1: r.info1 & info1NoBins, generation: c.Generation, voidTime: voidTime(c.Expiry)})
	a.field(fieldNamespace, r.namespace)
	a.field(fieldDigest, c.Digest[:])
	if c.Set != "" {
		a.textField(fieldSet, c.Set)
	}
	if c.Key.Kind() != change.KindNil {
		a.keyField(c.Key)
	}
	switch {
	case r.info1&info1NoBins != 0:
	case len(r.ops) == 0:
		a.allBins(c.Bins)
	default:
		for i := range r.ops {
			if at := findBin(c.Bins, r.ops[i].name); at >= 0 && c.Bins[at].Value.Kind() != change.KindNil {
				a.bin(opRead, c.Bins[at].Name, c.Bins[at].Value)
			}
		}
	}
}

// hasBin reports whether a record has a bin that the scan asks for: it does if the scan does
// not name bins.
func (r *request) hasBin(c *change.Change) bool {
	return len(r.ops) == 0 || r.info1&info1NoBins != 0 || slices.ContainsFunc(r.ops, func(op operation) bool {
		at := findBin(c.Bins, op.name)
		return at >= 0 && c.Bins[at].Value.Kind() != change.KindNil
	})
}

// pace waits so that no more records are sent in a second than the rate.
func (s *scanner) pace() {
	if s.sent++; s.rate == 0 || s.sent%max(int(s.rate)/pacesPerSecond, 1) != 0 {
		return
	}
	if s.answer.flush() == nil && !s.node.pause(time.Second/pacesPerSecond) {
		s.left = 0
	}
}

// pacesPerSecond is how often a scan with a rate waits.
const pacesPerSecond = 20
