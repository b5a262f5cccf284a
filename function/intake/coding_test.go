package intake

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/function/problem"
)

func compress(t testing.TB, codings []*coding, body []byte) []byte {
	t.Helper()
	for _, c := range codings {
		var out bytes.Buffer
		var w io.WriteCloser = gzip.NewWriter(&out)
		if c == zstdCoding {
			var err error
			if w, err = zstd.NewWriter(&out); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = out.Bytes()
	}
	return body
}

// FuzzCodings checks that a header is accepted or refused as a whole, and that a body that is
// compressed accordingly is inflated to the original.
func FuzzCodings(f *testing.F) {
	f.Add("gzip", "[]")
	f.Add("identity , X-GZip,\tzstd", "{}")
	f.Add("zstd,,br", "")
	f.Fuzz(func(t *testing.T, header, body string) {
		codings, err := codingsOf(http.Header{"Content-Encoding": {header}})
		if err != nil {
			var p *problem.Problem
			if codings != nil || !errors.As(err, &p) || p.Status != http.StatusUnsupportedMediaType {
				t.Errorf("%d codings, error %v", len(codings), err)
			}
			return
		}
		if known := strings.Count(strings.ToLower(header), "gzip") + strings.Count(strings.ToLower(header), "zstd"); len(codings) != known {
			t.Errorf("%d codings for %q", len(codings), header)
		}
		limits := Limits{Body: 1 << 20, Inflated: 1 << 20}
		b := Buffer{counter: &memoryCounter{limit: 4 << 20}, max: limits.Inflated}
		err = inflate(bytes.NewReader(compress(t, codings, []byte(body))), codings, &limits, func(r io.Reader) error { return b.readAll(r, 0) })
		if err != nil || string(b.Bytes()) != body {
			t.Errorf("%q as %q: %q, %v", body, header, b.Bytes(), err)
		}
	})
}

// FuzzInflate checks that no body takes more memory than the limits allow, and that none is
// held at the end.
func FuzzInflate(f *testing.F) {
	one := []byte(`{"msg":"delete"}`)
	for _, codings := range [][]*coding{{gzipCoding}, {zstdCoding}, {gzipCoding, zstdCoding}, {zstdCoding, gzipCoding}} {
		whole := compress(f, codings, one)
		f.Add(whole, codings[0] == gzipCoding, len(codings) == 2)
		f.Add(whole[:len(whole)/2], codings[0] == gzipCoding, len(codings) == 2)
	}
	f.Fuzz(func(t *testing.T, body []byte, gzipFirst, twice bool) {
		codings := []*coding{zstdCoding, gzipCoding}
		if gzipFirst {
			codings = []*coding{gzipCoding, zstdCoding}
		}
		if !twice {
			codings = codings[:1]
		}
		limits := Limits{Body: 1 << 16, Inflated: 1 << 14}
		g := &memoryCounter{limit: 1 << 14}
		b := Buffer{counter: g, max: limits.Inflated}
		err := inflate(bytes.NewReader(body), codings, &limits, func(r io.Reader) error { return b.readAll(r, 0) })
		if n := int64(len(b.Bytes())); n > limits.Inflated || g.held.Load() > 1<<14 || g.held.Load() < n {
			t.Errorf("%d bytes, %d held: %v", n, g.held.Load(), err)
		}
		b.Free()
		if b.Free(); g.held.Load() != 0 {
			t.Errorf("%d bytes are still held", g.held.Load())
		}
	})
}
