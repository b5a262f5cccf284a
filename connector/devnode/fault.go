package devnode

// Kind is the kind of a request.
type Kind string

// The kinds of requests.
const (
	Info  Kind = "info"
	Read  Kind = "read"
	Write Kind = "write" // of a record, deletes included
	Batch Kind = "batch"
	Scan  Kind = "scan"
)

// Command describes a request to [Config.Fault].
type Command struct {
	Kind      Kind
	Namespace string   // of a batch, that of its first row
	Set       string   // the same
	Rows      int      // of a batch
	Writes    bool     // it changes records; of a batch, its first row
	Names     []string // of info
}

// Fault is what goes wrong with a request. The zero Fault is nothing. At most one of its
// fields may be set.
type Fault struct {
	DropBefore bool // close the connection, and do not carry out the request
	DropAfter  bool // carry out the request, and close the connection without an answer

	// Code is answered, and the request is not carried out. Info has no codes.
	Code Code

	// Rows are codes of rows of a batch that are not carried out, by their index.
	Rows map[int]Code
}
