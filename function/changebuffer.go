package function

import (
	"errors"
	"net/http"
	"sync"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/intake"
	"github.com/aerosink/aerosink/function/problem"
)

// changeBuffer is a pooled slice of parsed changes.
type changeBuffer struct{ changes []format.Parsed }

// free returns the buffer to the pool.
func (b *changeBuffer) free() {
	clear(b.changes)
	if cap(b.changes) <= maxPooledChanges {
		changeBuffers.Put(b)
	}
}

// parse parses the body, of a media type that is accepted, into changes. If there are dead
// letters, a body that cannot be parsed at all becomes one unreadable change, and so a dead
// letter. A body that is too large, or compressed without saying so, does not: the sender can
// correct that.
func (b *changeBuffer) parse(to *ready, mediaType string, body []byte) error {
	parser := to.settings.Parser
	parser.Buffer = b.changes
	changes, err := parser.Parse(mediaType, body)
	switch {
	case err == nil:
		b.changes = changes
		return nil
	case errors.Is(err, format.ErrContentCoding):
		return intake.UnsupportedCoding(err.Error())
	case errors.Is(err, format.ErrTooLarge):
		return &problem.Problem{Status: http.StatusRequestEntityTooLarge, Detail: err.Error()}
	case !to.store.HasDeadLetters():
		return &problem.Problem{Status: http.StatusBadRequest, Detail: err.Error()}
	}
	b.changes = append(b.changes[:0], format.Parsed{Data: body, Offset: format.OffsetOf(err), Err: err})
	return nil
}

var changeBuffers = sync.Pool{New: func() any { return new(changeBuffer) }}

// maxPooledChanges is the capacity up to which a buffer is pooled. A change takes about 250
// bytes.
const maxPooledChanges = 4096

func newChangeBuffer() *changeBuffer {
	b, _ := changeBuffers.Get().(*changeBuffer) // the pool holds nothing else
	return b
}
