package newest

import (
	"iter"

	"github.com/aerosink/aerosink/connector/change"
)

// Record is the newest state of a record in the archive.
type Record struct {
	Namespace, Set string
	Digest         change.Digest
	Version        change.Version // its Op says whether the record is deleted
	Expiry         int64          // Unix seconds; 0 never expires; see change.ExpiryUnknown

	Object   string // name of the object that has the newest change
	Position int    // of the change among those of the object and its unreadable lines, from 1
}

// Records yields the newest state of each record of a namespace, deleted ones too. They are
// sorted by partition ascending, and in it by digest descending, as Aerospike scans a
// partition. It may be called several times. An error ends the sequence.
func (x *Index) Records(namespace string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for c, err := range x.chains() {
			if err != nil {
				yield(Record{}, err)
				return
			}
			e := c.newest()
			if x.namespace(e) == namespace && !yield(x.record(e), nil) {
				return
			}
		}
	}
}

func (x *Index) record(e *entry) Record {
	n := x.names.list[e.name]
	return Record{
		Namespace: n.namespace, Set: n.set, Digest: e.digest, Version: e.version(), Expiry: e.expiry,
		Object: x.objects[e.object].Name, Position: int(e.ordinal) + 1,
	}
}
