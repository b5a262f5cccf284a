package change

// Recipient receives the verdict on a change.
type Recipient interface {
	// Done is called once: with nil if the destination has the change, with an error
	// marked by [Permanent] if it never will, and with another error if the change has to
	// be sent again. It must not block.
	Done(verdict error)
}
