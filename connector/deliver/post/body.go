package post

import (
	"errors"
	"io"
	"sync"
)

// body is the body of one request, in memory that will be reused. A transport may continue
// to read the body after it has returned the response; revoke stops that, so that the
// memory can be reused.
type body struct {
	mu      sync.Mutex
	data    []byte
	revoked bool
}

var errRevoked = errors.New("the request has ended")

// open returns a reader at the start of the body. It is called each time the request is sent.
func (b *body) open() (io.ReadCloser, error) { return &bodyReader{body: b}, nil }

// revoke makes all further reads fail.
func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data, b.revoked = nil, true
}

// bodyReader reads a body until it is revoked.
type bodyReader struct {
	body *body
	read int
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.body.revoked {
		return 0, errRevoked
	}
	n := copy(p, r.body.data[r.read:])
	r.read += n
	if r.read == len(r.body.data) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (r *bodyReader) Close() error { return nil }
