package route

import "time"

// Ordering says that a destination gets no version of a record after a newer one.
type Ordering struct {
	// TTL is for how long the newest version of a record is known.
	TTL time.Duration

	// AckStale answers for a version that comes too late as if it were delivered;
	// otherwise the database is to ship it again.
	AckStale bool
}
