package newest

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/replay/spill"
)

// Index has the changes of an archive by record. Close it at the end.
type Index struct {
	objects []PlannedObject
	names   names
	spill   *spill.File
	counts  Counts
	mode    change.Mode // of writes whose mode is unknown
	order   []uint32    // by object number: its place in the order in which objects were written
}

// rank sets x.order.
func (x *Index) rank() {
	byTime := make([]uint32, len(x.objects))
	for i := range byTime {
		byTime[i] = uint32(i)
	}
	slices.SortStableFunc(byTime, func(a, b uint32) int { return x.objects[a].Created.Compare(x.objects[b].Created) })
	x.order = make([]uint32, len(x.objects))
	for place, number := range byTime {
		x.order[number] = uint32(place)
	}
}

// Counts returns what the index was made of.
func (x *Index) Counts() Counts { return x.counts }

// Disk returns how many bytes of temporary files the index takes.
func (x *Index) Disk() int64 { return x.spill.Disk() }

// Namespaces returns the namespaces that changes of the index are in, sorted.
func (x *Index) Namespaces() []string {
	var all []string
	for _, n := range x.names.list {
		all = append(all, n.namespace)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Close removes the temporary file.
func (x *Index) Close() error { return x.spill.Close() }

// bucketOf returns the bucket of a record.
func bucketOf(d *change.Digest) int { return d.Partition() * buckets / change.Partitions }

// add adds an entry.
func (x *Index) add(e *entry) error {
	var b [entryBytes]byte
	return x.spill.Append(bucketOf(&e.digest), e.append(b[:0]))
}

// compactAt is the least number of entries that are compacted.
var compactAt = 1 << 18

// chains yields the chain of each record, sorted by partition ascending, digest descending,
// and namespace. A chain is valid until the next one. Memory holds one bucket, compacted.
func (x *Index) chains() iter.Seq2[chain, error] {
	return func(yield func(chain, error) bool) {
		var entries []entry
		var c chain
		for bucket := range x.spill.Buckets() {
			var err error
			if entries, err = x.load(entries[:0], bucket); err != nil {
				yield(nil, err)
				return
			}
			for changes := range x.records(entries) {
				if c = c.of(changes); !yield(c, nil) {
					return
				}
			}
		}
	}
}

// load appends the entries of a bucket. If they are many, it compacts them meanwhile.
func (x *Index) load(entries []entry, bucket int) ([]entry, error) {
	text := bufio.NewReader(x.spill.Reader(bucket))
	limit := compactAt
	for {
		var b [entryBytes]byte
		if _, err := io.ReadFull(text, b[:]); errors.Is(err, io.EOF) {
			return entries, nil
		} else if err != nil {
			return nil, fmt.Errorf("read a temporary file: %w", err)
		}
		entries = append(entries, parseEntry(b[:]))
		if len(entries) >= limit {
			entries = x.compact(entries)
			limit = max(compactAt, 2*len(entries))
		}
	}
}

// compact drops the changes of each record that are older than a base, by their last update
// time. Whatever is added, they would not become part of a chain.
func (x *Index) compact(entries []entry) []entry {
	kept := entries[:0] // behind what is read
	var c chain
	for changes := range x.records(entries) {
		c = c.of(changes)
		if c[0].isBase() {
			base := c[0].lut
			changes = changes[slices.IndexFunc(changes, func(e entry) bool { return e.lut == base }):]
		}
		kept = append(kept, changes...)
	}
	return kept
}

// records sorts entries, and yields the changes of each record in the order of compare. The
// caller may overwrite what was yielded.
func (x *Index) records(entries []entry) iter.Seq[[]entry] {
	return func(yield func([]entry) bool) {
		slices.SortFunc(entries, x.compare)
		for first := 0; first < len(entries); {
			end := first + 1
			for end < len(entries) && x.sameRecord(&entries[first], &entries[end]) {
				end++
			}
			if !yield(entries[first:end]) {
				return
			}
			first = end
		}
	}
}

// compare orders entries by record, then by last update time, then by their way into the
// archive.
func (x *Index) compare(a, b entry) int {
	if c := compareRecords(&a.digest, &b.digest); c != 0 {
		return c
	}
	if a.name != b.name {
		if c := cmp.Compare(x.namespace(&a), x.namespace(&b)); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(a.lut, b.lut); c != 0 {
		return c
	}
	if c := cmp.Compare(x.order[a.object], x.order[b.object]); c != 0 {
		return c
	}
	return cmp.Compare(a.ordinal, b.ordinal)
}

func (x *Index) namespace(e *entry) string { return x.names.list[e.name].namespace }

func (x *Index) sameRecord(a, b *entry) bool {
	return a.digest == b.digest && (a.name == b.name || x.namespace(a) == x.namespace(b))
}
