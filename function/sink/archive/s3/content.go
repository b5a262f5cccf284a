package s3

import (
	"errors"
	"io"
)

// content is an io.ReadSeeker over the parts of an object. The SDK needs to seek to the start
// only, and to find out the length.
type content struct {
	parts [][]byte
	size  int64
	part  int // the next part
	at    int // offset in it
}

func newContent(parts [][]byte) *content {
	c := &content{parts: parts}
	for _, p := range parts {
		c.size += int64(len(p))
	}
	return c
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (n int, err error) {
	for n < len(p) && c.part < len(c.parts) {
		copied := copy(p[n:], c.parts[c.part][c.at:])
		n, c.at = n+copied, c.at+copied
		if c.at == len(c.parts[c.part]) {
			c.part, c.at = c.part+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		for _, p := range c.parts[:c.part] {
			offset += int64(len(p))
		}
		offset += int64(c.at)
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 || offset > c.size {
		return 0, errors.New("seek outside of the object")
	}
	c.part, c.at = 0, 0
	left := offset
	for c.part < len(c.parts) && left >= int64(len(c.parts[c.part])) {
		left -= int64(len(c.parts[c.part]))
		c.part++
	}
	c.at = int(left)
	return offset, nil
}
