// Package format writes changes as bytes for a request body, and reads them back:
// the connector appends with a [Format], the function parses with a [Parser]. Who
// reads or stores the bytes, and how they travel, it does not know.
//
// The formats are those of Aerospike's Connect for ESP: names, members and their
// order, labels and encodings follow its documentation ("JSON serialization
// format", "Flat JSON serialization format", "MessagePack serialization format",
// "Avro serialization format"). [XDR] is the database's own.
package format

import (
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
)

// Format writes changes. A value may be used by several goroutines at once.
type Format interface {
	// Name is what a configuration calls the format.
	Name() string

	// Append appends c to dst as it stands in a batch. An error is permanent:
	// the change cannot be expressed in this format. It then returns dst as it
	// was.
	Append(dst []byte, c *change.Change) ([]byte, error)

	// Seal makes one request body of records, which holds n appended changes one
	// after another, and says its media type. The body may share records' memory.
	Seal(records []byte, n int) (body []byte, mediaType string)
}

// The media types of the HTTP contract.
const (
	MediaJSON   = "application/json"
	MediaNDJSON = "application/x-ndjson"
)

// inexpressible is the error of a change that a format cannot express. It tells
// where, and never what.
func inexpressible(format, where, detail string, args ...any) error {
	return change.Permanent(fmt.Errorf("write %s: %s: %s", format, where, fmt.Sprintf(detail, args...)))
}
