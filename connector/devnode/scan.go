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
	if code := c.filter.compile(r.filter); code != OK {
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
	s.all()
	c.answer.last(OK)
}

// checkScan returns the code of a scan that is invalid.
func (r *request) checkScan() Code {
	has := func(field []byte, size int) bool { return field == nil || len(field) == size }
	switch {
	case r.hasUDF:
		return Unsupported
	case r.isWrite() && len(r.ops) == 0:
		return Parameter
	case r.isWrite(), r.info3&info3Done == 0:
		return Unsupported
	case len(r.set) > maxSetName, !r.partitionsOnce(), !has(r.rate, 4):
		return Parameter
	case r.partitions == nil && r.digests == nil:
		return Unsupported
	case r.hasIndex:
		return NoIndex
	case !has(r.timeout, 4), !has(r.maxRecords, 8):
		return Parameter
	}
	return OK
}

// partitionsOnce reports whether a scan names each partition at most once, by its number or by
// a digest to go on behind.
func (r *request) partitionsOnce() bool {
	const idSize = 2
	if r.partitions != nil && len(r.partitions) < idSize || r.digests != nil && len(r.digests) < digestSize {
		return false
	}
	seen := make([]bool, change.Partitions)
	for b := r.partitions; len(b) >= idSize; b = b[idSize:] {
		p := int(binary.LittleEndian.Uint16(b))
		if p >= len(seen) || seen[p] {
			return false
		}
		seen[p] = true
	}
	for b := r.digests; len(b) >= digestSize; b = b[digestSize:] {
		p := change.Digest(b[:digestSize]).Partition()
		if seen[p] {
			return false
		}
		seen[p] = true
	}
	return true
}

// all scans the partitions of the request.
func (s *scanner) all() {
	r := &s.request
	const idSize = 2
	for b := r.partitions; len(b) >= idSize; b = b[idSize:] {
		s.partition(int(binary.LittleEndian.Uint16(b)), nil)
	}
	for b := r.digests; len(b) >= digestSize; b = b[digestSize:] {
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
	if s.left == 0 || len(r.set) > 0 && string(r.set) != c.Set || !r.selects(c) || !s.filter.matches(c, s.at) {
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

// selects reports whether a scan with operations wants the record: it has one of their bins.
// A server of release 8.0 takes each operation of a scan for the read of a bin.
func (r *request) selects(c *change.Change) bool {
	return r.info1&info1NoBins != 0 || len(r.ops) == 0 ||
		slices.ContainsFunc(r.ops, func(op operation) bool {
			at := findBin(c.Bins, op.name)
			return at >= 0 && c.Bins[at].Value.Kind() != change.KindNil
		})
}

// pace waits so that no more records are sent in a second than the rate.
func (s *scanner) pace() {
	if s.rate == 0 {
		return
	}
	after, wait := pauses(s.rate)
	if s.sent++; s.sent%after != 0 {
		return
	}
	if s.answer.flush() == nil && !s.node.pause(wait) {
		s.left = 0
	}
}

// pauses returns after how many records a scan with a rate, in records per second, waits, and
// how long: about 20 times a second, or for each record of a lower rate.
func pauses(rate uint32) (after int, wait time.Duration) {
	const perSecond = 20
	after = max(int(rate)/perSecond, 1)
	return after, time.Duration(after) * time.Second / time.Duration(rate)
}
