package ordered

import (
	"cmp"
	"time"
)

// inOrder compares entries by the order in which they were put.
func inOrder[E any](a, b *entry[E]) int { return cmp.Compare(a.order, b.order) }

// entry is a message of a Put. The Sender's lock guards it.
type entry[E any] struct {
	*Message[E]
	put   *put
	index int    // in the Put
	order uint64 // in which entries were admitted

	behind    int       // records of which an earlier message is not finished
	call      *call[E]  // while it is in flight
	notBefore time.Time // while it is delayed
	attempts  int
	refusedAt time.Time // when the call was made that first refused it; zero if none has
	err       error     // of the last attempt
	finished  bool
}
