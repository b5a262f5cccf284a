package sink

// Panic is a panic in a goroutine of a sink. A Put that the goroutine worked for panics
// with it too, once its batch is no longer in use. The caller can then answer the request
// and the process goes on.
type Panic struct {
	Value any    // may hold users' data
	Stack []byte // of the goroutine
}

// Error implements error. It leaves out the value.
func (*Panic) Error() string { return "a goroutine of the sink panicked" }
