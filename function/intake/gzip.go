package intake

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipReader inflates the members of a gzip file. It ignores zeros after the last one, as
// gzip(1) does: tools that write whole blocks pad a file with them.
type gzipReader struct {
	in     *bufio.Reader
	member gzip.Reader
}

// Reset makes g read from r.
func (g *gzipReader) Reset(r io.Reader) error {
	if g.in == nil {
		g.in = bufio.NewReader(r)
	} else {
		g.in.Reset(r)
	}
	return g.begin()
}

// begin begins a member.
func (g *gzipReader) begin() error {
	err := g.member.Reset(g.in)
	g.member.Multistream(false)
	return err
}

// Read implements [io.Reader].
func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// next begins the next member. The error is io.EOF if there is none.
func (g *gzipReader) next() error {
	for padded := false; ; padded = true {
		switch b, err := g.in.ReadByte(); {
		case err != nil:
			return err
		case b == 0:
		case padded:
			return gzip.ErrHeader
		default:
			if err := g.in.UnreadByte(); err != nil {
				return err
			}
			return g.begin()
		}
	}
}
