package intake

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/problem"
)

const (
	// maxCodings is how many codings a body may have.
	maxCodings = 2

	// zstdWindow is the largest window that a sender may use, in bytes
	// (https://www.rfc-editor.org/rfc/rfc9659).
	zstdWindow = 8 << 20
)

// inflater inflates what it reads from the reader of the last Reset.
type inflater interface {
	io.Reader
	Reset(r io.Reader) error
}

// coding is a content coding.
type coding struct {
	name      string
	inflaters sync.Pool
}

var (
	gzipCoding = &coding{name: "gzip", inflaters: sync.Pool{New: func() any { return new(gzipReader) }}}
	zstdCoding = &coding{name: "zstd", inflaters: sync.Pool{New: func() any { return newZstd() }}}
)

// newZstd returns a decoder without goroutines, so that it can be garbage collected.
func newZstd() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeBuffersBelow(0))
	if err != nil {
		panic("intake: the zstd decoder refuses its options: " + err.Error())
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
			return nil, UnsupportedCoding(fmt.Sprintf("unsupported Content-Encoding %.40q: want gzip, zstd or identity", element))
		}
		if len(codings) > maxCodings {
			return nil, UnsupportedCoding(fmt.Sprintf("Content-Encoding names more than %d codings", maxCodings))
		}
	}
	return codings, nil
}

// UnsupportedCoding returns the problem for a Content-Encoding that is not accepted, or is not
// that of the body.
func UnsupportedCoding(detail string) error {
	return &problem.Problem{Status: http.StatusUnsupportedMediaType, Detail: detail, Header: http.Header{"Accept-Encoding": {"gzip, zstd"}}}
}

// sizeError means that a body inflates to more than the limit, at the end or between two of
// its codings.
type sizeError struct {
	limit    int64 // bytes
	variable string
}

func (e *sizeError) Error() string {
	return fmt.Sprintf("more than %s, the limit of %s", plural.Of(int(e.limit), "byte"), e.variable)
}

// errExpanded means that a compressed body is much larger than its content. No encoder writes
// such a body: it is mostly empty frames, which take time to decode.
var errExpanded = errors.New("it inflates to less than half of its own size")

// maxExpansion is how many bytes a body may be larger than that.
const maxExpansion = 256 << 10

// stage undoes one coding.
type stage struct {
	coding   *coding
	in       io.Reader
	out      inflater
	read     int64 // bytes from in
	inflated int64
	limit    *sizeError
}

// stageInput is what the inflater of a stage reads from.
type stageInput struct{ *stage }

// Read implements [io.Reader].
func (i stageInput) Read(p []byte) (int, error) {
	if i.read > 2*i.inflated+maxExpansion {
		return 0, errExpanded
	}
	n, err := i.in.Read(p)
	i.read += int64(n)
	return n, err
}

// Read implements [io.Reader]. It reads at most one byte beyond the limit.
func (s *stage) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), s.limit.limit+1-s.inflated)]
	n, err := s.out.Read(p)
	s.inflated += int64(n)
	switch {
	case s.inflated > s.limit.limit:
		return 0, s.limit
	case err != nil && !errors.Is(err, io.EOF):
		return n, fmt.Errorf("%s: %w", s.coding.name, err)
	}
	return n, err
}

// inflate calls read with the inflated content of r. It undoes the codings from the last to
// the first. The limit of a body as sent also holds between two codings.
func inflate(r io.Reader, codings []*coding, limits *Limits, read func(io.Reader) error) error {
	if len(codings) == 0 {
		return read(r)
	}
	rest, last := codings[:len(codings)-1], codings[len(codings)-1]
	out := last.inflaters.Get().(inflater) //nolint:forcetypeassert // the pools hold nothing else
	limit := &sizeError{limits.Inflated, MaxInflated}
	if len(rest) > 0 {
		limit = &sizeError{limits.Body, MaxBody}
	}
	s := &stage{coding: last, in: r, out: out, limit: limit}
	defer func() {
		s.in = nil // out refers to s until its next use, and must not keep the body
		last.inflaters.Put(out)
	}()
	if err := out.Reset(stageInput{s}); err != nil {
		return fmt.Errorf("%s: %w", last.name, err)
	}
	return inflate(s, rest, limits, read)
}
