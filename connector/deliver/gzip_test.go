package deliver_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestGzip(t *testing.T) {
	noise := make([]byte, 10_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, tt := range []struct {
		name       string
		body       []byte
		on         bool
		threshold  int
		compressed bool
	}{
		{"off", bytes.Repeat([]byte("a"), 1000), false, 0, false},
		{"on", bytes.Repeat([]byte("a"), 1000), true, 0, true},
		{"at the threshold", bytes.Repeat([]byte("a"), 1000), true, 1000, false},
		{"above the threshold", bytes.Repeat([]byte("a"), 1001), true, 1000, true},
		{"too short", []byte("aaaaaaaa"), true, 0, false},
		{"incompressible", noise, true, 0, false},
		{"large", []byte(strings.Repeat("a text that repeats itself\n", 100_000)), true, 0, true},
		{"empty", nil, true, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(t)
			c := config(t, r.url)
			c.Gzip, c.GzipThreshold = tt.on, tt.threshold
			d := open(t, c)
			for range 3 { // memory is reused
				got := r.next(t, send(d, batches(1, 1<<30), 0, string(tt.body)))
				body := got.body
				if compressed := got.header.Get("Content-Encoding") == "gzip"; compressed != tt.compressed {
					t.Fatalf("compressed: %t, want %t", compressed, tt.compressed)
				}
				if tt.compressed {
					if len(body) >= len(tt.body) {
						t.Errorf("%d bytes, %d without compression", len(body), len(tt.body))
					}
					z, err := gzip.NewReader(bytes.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					if body, err = io.ReadAll(z); err != nil {
						t.Fatal(err)
					}
				}
				if !bytes.Equal(body, tt.body) {
					t.Errorf("got %d bytes that differ from the %d sent", len(body), len(tt.body))
				}
			}
		})
	}
}
