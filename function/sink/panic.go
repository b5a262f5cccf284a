package sink

// Panic is what a goroutine of a sink panicked with. A Put that the goroutine worked
// for panics with it in turn, once its batch is no longer needed, so that who answers
// the request can say so, and the process goes on.
type Panic struct {
	Value any    // may hold users' data
	Stack []byte // of the goroutine
}

// Error implements error. It tells nothing of the value.
func (*Panic) Error() string { return "a goroutine of the sink panicked" }
