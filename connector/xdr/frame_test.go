package xdr_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// message returns a message with a body of size bytes.
func message(size int, fill byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, 2<<56|3<<48|uint64(size))
	return append(b, bytes.Repeat([]byte{fill}, size)...)
}

// dispenser is a reader that returns a stream in parts, with a timeout after each.
type dispenser struct {
	stream []byte
	size   func() int
	rest   bool
}

var errTimeout = errors.New("deadline passed")

func (d *dispenser) Read(b []byte) (int, error) {
	if d.rest = !d.rest; !d.rest {
		return 0, errTimeout
	}
	if len(d.stream) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), max(d.size(), 1))], d.stream)
	d.stream = d.stream[n:]
	return n, nil
}

func TestReader_resumesAfterTimeout(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var stream []byte
	var want []string
	for i := range 200 {
		size := rnd.IntN(300)
		if i%50 == 7 {
			size = rnd.IntN(300_000) // many slabs
		}
		m := message(size, byte(i))
		stream = append(stream, m...)
		want = append(want, hex.EncodeToString(m))
	}
	for _, tt := range []struct {
		name string
		size func() int
	}{
		{"byte by byte", func() int { return 1 }},
		{"split and coalesced", func() int { return rnd.IntN(2000) }},
		{"all at once", func() int { return len(stream) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := xdr.NewReader(&dispenser{stream: stream, size: tt.size}, 0)
			var frames []xdr.Frame
			for {
				f, err := r.Next()
				if errors.Is(err, errTimeout) {
					continue
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				frames = append(frames, f)
			}
			var got []string // only now: a frame must stay as it was while others are read
			for _, f := range frames {
				got = append(got, hex.EncodeToString(f))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReader_endOfStream(t *testing.T) {
	one := message(30, 1)
	for _, tt := range []struct {
		name   string
		stream []byte
		want   error
	}{
		{"between frames", one, io.EOF},
		{"in the header", append(one, 2, 3), io.ErrUnexpectedEOF},
		{"in the body", append(one, one[:20]...), io.ErrUnexpectedEOF},
		{"in an oversized message", append(one, message(101, 0)[:60]...), io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := xdr.NewReader(iotest.DataErrReader(bytes.NewReader(tt.stream)), 100)
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			if f, err := r.Next(); !errors.Is(err, tt.want) {
				t.Errorf("%x, %v, want %v", f, err, tt.want)
			}
		})
	}
}

func TestReader_oversizedFrame(t *testing.T) {
	for _, size := range []int{101, 5_000, 1 << 20} {
		before, after := message(100, 1), message(100, 2)
		stream := bytes.Join([][]byte{before, message(size, 9), after}, nil)
		r := xdr.NewReader(&dispenser{stream: stream, size: func() int { return 999 }}, 100)
		var got []any
		for len(got) < 3 {
			f, err := r.Next()
			var malformed *xdr.Error
			switch {
			case errors.Is(err, errTimeout):
			case errors.As(err, &malformed):
				got = append(got, malformed.Kind)
			case err != nil:
				t.Fatal(err)
			default:
				got = append(got, hex.EncodeToString(f))
			}
		}
		if diff := cmp.Diff([]any{hex.EncodeToString(before), xdr.OverLimit, hex.EncodeToString(after)}, got); diff != "" {
			t.Errorf("message of %d bytes (-want +got):\n%s", size, diff)
		}
	}
}

// The reader allocates for the bytes that arrive, not for the length in the header.
func TestReader_allocations(t *testing.T) {
	claim := binary.BigEndian.AppendUint64(nil, 2<<56|3<<48|uint64(xdr.MaxSize))
	stream := append(claim, make([]byte, 10_000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := xdr.NewReader(bytes.NewReader(stream), xdr.MaxSize).Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want unexpected EOF", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("allocated %d bytes for %d that arrived", grown, len(stream))
	}
}

func TestCut(t *testing.T) {
	two := append(message(30, 1), message(0, 2)...)
	first, rest, err := xdr.Cut(two)
	if err != nil || !bytes.Equal(first, message(30, 1)) || cap(first) != len(first) {
		t.Fatalf("% x of capacity %d, %v", first, cap(first), err)
	}
	second, rest, err := xdr.Cut(rest)
	if err != nil || !bytes.Equal(second, message(0, 2)) || len(rest) != 0 {
		t.Errorf("% x, then % x, %v", second, rest, err)
	}
	for end := range message(30, 1) {
		if _, _, err := xdr.Cut(two[:end]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at byte %d: %v", end, err)
		}
	}
	_, _, err = xdr.Cut([]byte("GET / HTTP/1.1"))
	if e, ok := asError(err); !ok || e.Kind != xdr.BadProtoVersion {
		t.Errorf("error %v, want %s", err, xdr.BadProtoVersion)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(bytes.Join([][]byte{message(30, 1), message(0, 0), message(300, 2)}, nil), 7)
	f.Add([]byte{2, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		const limit = 200
		r := xdr.NewReader(&dispenser{stream: bytes.Clone(stream), size: func() int { return size }}, limit)
		at := 0
		for {
			fr, err := r.Next()
			var malformed *xdr.Error
			switch {
			case errors.Is(err, errTimeout):
				continue
			case errors.As(err, &malformed) && !malformed.Framing():
				at += 8 + int(binary.BigEndian.Uint64(stream[at:])&(1<<48-1))
				continue
			case err != nil:
				return
			}
			if len(fr) > limit+8 || !bytes.Equal(fr, stream[at:at+len(fr)]) {
				t.Fatalf("at byte %d: frame %x", at, fr)
			}
			at += len(fr)
		}
	})
}

// CutBare finds the end of a message without a proto header from its fields and ops.
func TestCutBare(t *testing.T) {
	var bare []byte
	var want []xdr.Frame
	eachVector(t, "request", true, func(t *testing.T, _ xdrtest.Vector, message []byte) {
		if f := frame(t, message); !f.Compressed() {
			want, bare = append(want, f), append(bare, f[8:]...)
		}
	})
	for i, rest := 0, bare; len(rest) > 0; i++ {
		f, next, err := xdr.CutBare(rest)
		if err != nil || !bytes.Equal(f, want[i]) {
			t.Fatalf("message %d: % x, %v, want % x", i, f, err, want[i])
		}
		rest = next
	}
	first := []byte(want[0][8:])
	for end := range len(first) {
		if f, _, err := xdr.CutBare(first[:end]); f != nil || err == nil || !change.IsPermanent(err) {
			t.Errorf("cut at byte %d: % x, %v", end, f, err)
		}
	}
	if _, _, err := xdr.CutBare(want[0]); err == nil || !strings.Contains(err.Error(), string(xdr.BadHeaderSize)) {
		t.Errorf("a frame as a bare message: error %v, want %s", err, xdr.BadHeaderSize)
	}
}
