// Package format holds what the wire formats of changes have in common. The connector
// appends changes to a request body with a [Format]; the function reads bodies with a
// formats.Parser, which returns a [Parsed] for each change. Neither knows how the
// bytes are transported or where they are stored.
//
// The formats are in packages of their own: json (JSON and flat JSON), avro, msgpack
// and raw (XDR messages as they are). Package formats selects one by name or by media
// type. CONTRIBUTING lists what a new format needs.
//
// The formats are those of Aerospike's Connect for ESP: names, members and their
// order, labels and encodings follow its documentation ("JSON serialization format",
// "Flat JSON serialization format", "MessagePack serialization format", "Avro
// serialization format").
package format

import (
	"math"

	"github.com/aerosink/aerosink/connector/change"
)

// Format writes changes. A value may be used by several goroutines at once.
type Format interface {
	// Name returns the name of the format in configurations.
	Name() string

	// Append appends c to dst as it stands in a batch. An error is permanent:
	// the change cannot be expressed in this format. It then returns dst as it
	// was.
	Append(dst []byte, c *change.Change) ([]byte, error)

	// Seal makes one request body of records, which holds n appended changes one
	// after another, and returns it with its media type. The body may share
	// records' memory.
	Seal(records []byte, n int) (body []byte, mediaType string)
}

// Parsed is a change and the bytes of the body it was read from, in their own
// format and without what separates the changes of a body.
type Parsed struct {
	Change change.Change

	// Data shares the memory of the body, or of what it inflates to. For an XDR message
	// without a proto header it is a copy with one.
	Data   []byte
	Format string // the name of the Format that Data is in, or should be

	// Offset is where in the body Data begins, in bytes, or where the error Err is.
	// Inside a compressed part it is where that part begins.
	Offset int

	// Err says why Data is not a change. It is permanent; Change then holds only
	// what could be read before the error.
	Err error
}

// The media types of the HTTP contract.
const (
	MediaJSON        = "application/json"     // one change
	MediaNDJSON      = "application/x-ndjson" // one change per line
	MediaMessagePack = "application/x-msgpack"
	MediaAvro        = "application/avro"             // a datum, or an object container file
	MediaOctets      = "application/octet-stream"     // one XDR message
	MediaXDR         = "application/vnd.aerosink.xdr" // several XDR messages
)

// Msg returns the value of the metadata "msg" for op.
func Msg(op change.Op) string {
	if op.IsDelete() {
		return "delete"
	}
	return "write"
}

// ExpiryOf returns the expiry that a sender has written as exp, in Unix seconds: -1 means
// never, as 0 does.
func ExpiryOf(exp int64) int64 {
	if exp == -1 {
		return 0
	}
	return exp
}

// IsUserKey reports whether a user key can be of the kind. XDR has some more, for
// language-specific blobs.
func IsUserKey(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBlob:
		return true
	}
	return false
}

// IsBytes reports whether values of the kind are uninterpreted bytes: blobs of every
// language, HLLs and particles of an unknown type.
func IsBytes(kind change.Kind) bool {
	switch kind {
	case change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBool, change.KindMap, change.KindList, change.KindGeoJSON:
		return false
	}
	return kind <= math.MaxUint8
}
