package route

import "time"

// Ordering keeps old versions of a record from destinations that have a newer one.
type Ordering struct {
	// TTL is how long the newest version of a record is remembered.
	TTL time.Duration

	// AckStale acknowledges an old version as if it were delivered. Otherwise the
	// database ships it again.
	AckStale bool
}
