package audit

import (
	"bytes"
	"cmp"
	"iter"

	"github.com/aerosink/aerosink/connector/change"
)

// order compares digests in the order in which a server returns the records of a partition:
// by partition, then by digest from the highest to the lowest.
func order(a, b change.Digest) int {
	return cmp.Or(cmp.Compare(a.Partition(), b.Partition()), bytes.Compare(b[:], a[:]))
}

// merge yields each record of two sequences once, with what either has of it, nil if it has
// nothing. Both sequences must be sorted by compare, without duplicates, and so is the
// result. It keeps one element of each. The elements are valid until the next ones.
func merge[A, B any](as iter.Seq[A], bs iter.Seq[B], compare func(*A, *B) int) iter.Seq2[*A, *B] {
	return func(yield func(*A, *B) bool) {
		next, stop := iter.Pull(as)
		defer stop()
		a, more := next()
		var b B
		for b = range bs { // one variable: it escapes
			for more && compare(&a, &b) < 0 {
				if !yield(&a, nil) {
					return
				}
				a, more = next()
			}
			if !more || compare(&a, &b) > 0 {
				if !yield(nil, &b) {
					return
				}
				continue
			}
			if !yield(&a, &b) {
				return
			}
			a, more = next()
		}
		for more {
			if !yield(&a, nil) {
				return
			}
			a, more = next()
		}
	}
}
