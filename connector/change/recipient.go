package change

// Recipient is told the verdict on a change.
type Recipient interface {
	// Done is called once: with nil when the change is safe at its destination, with an
	// error marked by [Permanent] when it never will be, and with another error when it
	// has to be sent again. It must not block.
	Done(verdict error)
}
