package function

import (
	"sync"

	"github.com/aerosink/aerosink/connector/format"
)

// room is memory for the changes of a request, which the next request has after it.
type room struct{ changes []format.Parsed }

var rooms = sync.Pool{New: func() any { return new(room) }}

// mostKept is for how many changes room is kept, at some 250 bytes each.
const mostKept = 4096

func enterRoom() *room {
	r, _ := rooms.Get().(*room) // nothing else is in it
	return r
}

// leave makes the room empty and gives it to the next.
func (r *room) leave() {
	clear(r.changes)
	if cap(r.changes) <= mostKept {
		rooms.Put(r)
	}
}
