package function

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxCodings bounds how often a body may be compressed.
	maxCodings = 2

	// zstdWindow is the largest that a sender may use, in bytes
	// (https://www.rfc-editor.org/rfc/rfc9659).
	zstdWindow = 8 << 20
)

// inflater inflates what it reads from the reader that it was given last.
type inflater interface {
	io.Reader
	Reset(r io.Reader) error
}

// coding is a way in which a body is compressed.
type coding struct {
	name      string
	inflaters sync.Pool
}

var (
	gzipCoding = &coding{name: "gzip", inflaters: sync.Pool{New: func() any { return new(gzip.Reader) }}}
	zstdCoding = &coding{name: "zstd", inflaters: sync.Pool{New: func() any { return newZstd() }}}
)

// newZstd returns a decoder that runs no goroutines, so that it may be forgotten.
func newZstd() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeBuffersBelow(0))
	if err != nil {
		panic("function: a decoder for zstd refuses its options: " + err.Error())
	}
	return d
}

// codingsOf returns the codings of a body in the order in which they were applied
// (https://www.rfc-editor.org/rfc/rfc9110#name-content-encoding).
func codingsOf(header http.Header) ([]*coding, error) {
	var codings []*coding
	for element := range strings.SplitSeq(strings.Join(header["Content-Encoding"], ","), ",") {
		switch element = strings.Trim(element, " \t"); strings.ToLower(element) {
		case "", "identity":
		case "gzip", "x-gzip":
			codings = append(codings, gzipCoding)
		case "zstd":
			codings = append(codings, zstdCoding)
		default:
			return nil, unknownCoding(fmt.Sprintf("Content-Encoding %.40q is not understood; send gzip, zstd or identity", element))
		}
		if len(codings) > maxCodings {
			return nil, unknownCoding(fmt.Sprintf("Content-Encoding names more than %d codings", maxCodings))
		}
	}
	return codings, nil
}

func unknownCoding(detail string) error {
	return &problem{Status: http.StatusUnsupportedMediaType, Detail: detail, Header: http.Header{"Accept-Encoding": {"gzip, zstd"}}}
}

// tooMuch says that a body inflates to more than limit, or what is between two of
// its codings does.
type tooMuch struct {
	limit    int64 // bytes
	variable string
}

func (e *tooMuch) Error() string {
	return fmt.Sprintf("more than %d bytes, the limit of %s", e.limit, e.variable)
}

// errHollow says that a compressed body is so much larger than what it holds that no
// encoder has made it: it is little but frames, and costs time.
var errHollow = errors.New("it holds less than half of its own size")

// hollowness is how many bytes more than that are borne.
const hollowness = 256 << 10

// stage undoes one coding.
type stage struct {
	coding   *coding
	in       io.Reader
	out      inflater
	taken    int64 // bytes from in
	inflated int64
	most     *tooMuch
}

// feed is what the inflater of a stage reads from.
type feed struct{ *stage }

// Read implements [io.Reader].
func (f feed) Read(p []byte) (int, error) {
	if f.taken > 2*f.inflated+hollowness {
		return 0, errHollow
	}
	n, err := f.in.Read(p)
	f.taken += int64(n)
	return n, err
}

// Read implements [io.Reader]. It reads no more than a byte beyond the limit.
func (s *stage) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), s.most.limit+1-s.inflated)]
	n, err := s.out.Read(p)
	s.inflated += int64(n)
	switch {
	case s.inflated > s.most.limit:
		return 0, s.most
	case err != nil && !errors.Is(err, io.EOF):
		return n, fmt.Errorf("%s: %w", s.coding.name, err)
	}
	return n, err
}

// inflate gives read what r inflates to, codings undone from the last to the first.
// What is left of the codings in between is a body that could have been sent, and
// is no larger than one.
func inflate(r io.Reader, codings []*coding, limits *Limits, read func(io.Reader) error) error {
	if len(codings) == 0 {
		return read(r)
	}
	rest, last := codings[:len(codings)-1], codings[len(codings)-1]
	out := last.inflaters.Get().(inflater) //nolint:forcetypeassert // the pools have nothing else
	defer last.inflaters.Put(out)
	most := &tooMuch{limits.Inflated, maxInflated.Name}
	if len(rest) > 0 {
		most = &tooMuch{limits.Body, maxBody.Name}
	}
	s := &stage{coding: last, in: r, out: out, most: most}
	if err := out.Reset(feed{s}); err != nil {
		return fmt.Errorf("%s: %w", last.name, err)
	}
	return inflate(s, rest, limits, read)
}
