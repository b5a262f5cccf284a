package xdr_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

func TestDecoder_stories(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		c := decode(t, s.Hex(t, "frame.hex"))
		s.Check(t, "change.json", changetest.Describe(&c))
	}, "frame.hex", "change.json")
}

func TestDecoder_roundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := changetest.Arbitrary{}.Change(rt)
		message, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "compressed") {
			if message, err = xdr.AppendCompressed(nil, message); err != nil {
				rt.Fatal(err)
			}
		}
		got := decode(t, message)
		if diff := cmp.Diff(string(changetest.Describe(&c)), string(changetest.Describe(&got))); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// The beginning of a message that is over the limit of a Reader identifies its change, and the
// next message is read.
func TestDecoder_Identify(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := changetest.Arbitrary{}.Change(rt)
		noise := rapid.SliceOfN(rapid.Byte(), 100, 100).Draw(rt, "noise")
		c.Bins = append(c.Bins, change.Bin{Name: "large", Value: change.BytesValue(change.KindBlob, bytes.Repeat(noise, 1000))})
		large, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			rt.Fatal(err)
		}
		size := len(large)
		if rapid.Bool().Draw(rt, "compressed") {
			if large, err = xdr.AppendCompressed(nil, large); err != nil {
				rt.Fatal(err)
			}
			size = len(large)
		}
		r := xdr.NewReader(&dispenser{stream: append(large, message(30, 1)...), size: func() int { return rapid.IntRange(1, 9000).Draw(rt, "read") }}, 50)
		var frames []xdr.Frame
		for len(frames) < 2 {
			f, err := r.Next()
			switch e, ok := asError(err); {
			case err == nil:
				frames = append(frames, f)
			case ok && e.Kind == xdr.OverLimit:
				frames = append(frames, r.Skipped())
			case !errors.Is(err, errTimeout):
				rt.Fatal(err)
			}
		}
		if !bytes.Equal(frames[1], message(30, 1)) || frames[0].Size() != size || len(frames[0]) > 8<<10 {
			rt.Errorf("%d bytes of a message of %d, whose size is %d; then %x", len(frames[0]), size, frames[0].Size(), frames[1])
		}
		var got change.Change
		if err := xdr.NewDecoder(50, receipt).Identify(frames[0], &got); err != nil {
			rt.Fatal(err)
		}
		if got.Namespace != c.Namespace || got.Set != c.Set || got.Digest != c.Digest || got.LUT != c.LUT {
			rt.Errorf("%s %s %s %d, want %s %s %s %d", got.Namespace, got.Set, got.Digest, got.LUT, c.Namespace, c.Set, c.Digest, c.LUT)
		}
	})
}

// Whatever the bytes, Identify either has a namespace and a digest or returns an error.
func TestDecoder_IdentifyMalformed(t *testing.T) {
	named := 0
	eachVector(t, "request", false, func(t *testing.T, v xdrtest.Vector, message []byte) {
		for end := range len(message) + 1 {
			if end < 8 {
				continue
			}
			var c change.Change
			err := xdr.NewDecoder(0, receipt).Identify(xdr.Frame(message[:end]), &c)
			if err == nil && (c.Namespace == "" || c.Digest == change.Digest{}) {
				t.Errorf("%s cut at byte %d: no error, namespace %q, digest %s", v.Name, end, c.Namespace, c.Digest)
			}
			if err == nil {
				named++
			}
		}
	})
	if named == 0 {
		t.Error("no malformed message was identified")
	}
}

// Decode overwrites all of a change that is reused.
func TestDecoder_reusedChange(t *testing.T) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		t.Fatal(err)
	}
	d := xdr.NewDecoder(0, receipt)
	var reused change.Change
	for range 2 {
		for _, v := range vectors {
			if v.Kind != "request" || !v.Valid {
				continue
			}
			m, _ := v.Bytes()
			if err := d.Decode(frame(t, m), &reused); err != nil {
				t.Fatal(err)
			}
			fresh := decode(t, m)
			if diff := cmp.Diff(string(changetest.Describe(&fresh)), string(changetest.Describe(&reused))); diff != "" {
				t.Errorf("%s (-fresh +reused):\n%s", v.Name, diff)
			}
		}
	}
}

func TestDecoder_expiry(t *testing.T) {
	now := receipt().Unix()
	for _, tt := range []struct {
		name string
		ttl  uint32
		want int64
	}{
		{"never", math.MaxUint32, 0},
		{"in an hour", 3600, now + 3600},
		{"default of the namespace", 0, change.ExpiryUnknown},
		{"unchanged", math.MaxUint32 - 1, change.ExpiryUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n"}, receipt())
			if err != nil {
				t.Fatal(err)
			}
			binary.BigEndian.PutUint32(m[18:], tt.ttl)
			if c := decode(t, m); c.Expiry != tt.want {
				t.Errorf("expiry %d, want %d", c.Expiry, tt.want)
			}
		})
	}
	t.Run("already expired", func(t *testing.T) {
		m, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", Expiry: now - 5}, receipt())
		if err != nil {
			t.Fatal(err)
		}
		if ttl := binary.BigEndian.Uint32(m[18:]); ttl != 1 {
			t.Errorf("ttl %d, want 1: 0 would mean the namespace's default", ttl)
		}
	})
}

// Errors that no vector has, made from a valid message.
func TestDecoder_errors(t *testing.T) {
	valid := "020300000000006216100110000000000007ffffffff000000000004000100000005007465737400000015047b1b7195a5105b7c4ab113c47ca4d4b6247b696b000000080203757365722d31000000090e0000007b5f1a66ea0000000d02010001610000000000000001"
	for _, tt := range []struct {
		name, old, new string
		want           xdr.ErrorKind
	}{
		{"neither write nor delete", "16100110", "16100010", xdr.NotWrite},
		{"field header cut", valid[60:], "000000", xdr.TruncatedField},
		{"no fields", "00040001", "00000000", xdr.MissingNamespace},
		{"unknown field", "000000090e0000007b5f1a66ea", "00000009630000007b5f1a66ea", ""},
		{"LUT of 7 bytes", "000000080203757365722d31000000090e0000007b5f1a66ea", "00000009630375736572ffffff000000080e00007b5f1a66ea", xdr.BadLUTSize},
		{"key without a type", "000000080203757365722d31", "00000001020000000463757265", xdr.BadKey},
		{"key that is a list", "0203757365722d31", "021475736572ffff", xdr.BadKey},
		{"integer key of 6 bytes", "0203757365722d31", "0201757365722d31", xdr.BadKey},
		{"op shorter than its head", "0000000d0201", "000000030201", xdr.OpOverrunsBody},
		{"op beyond the body", "0000000d0201", "0000000e0201", xdr.OpOverrunsBody},
		{"op that is not a write", "0000000d0201", "0000000d0101", xdr.UnexpectedOp},
		{"integer of 7 bytes", "02010001610000", "02010002616100", xdr.BadParticle},
		{"double of 7 bytes", "02010001610000", "02020002616100", xdr.BadParticle},
		{"deleted bin with a value", "02010001610000", "02000001610000", xdr.BadParticle},
		{"geojson cut", "0201000161000000000000", "0217000161000100000000", xdr.BadParticle},
		{"bin LUT beyond the op", "02010001610000", "02010102610000", xdr.OpLUTOverrunsOp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Count(valid, tt.old) != 1 {
				t.Fatalf("%s occurs %d times in the message, want once", tt.old, strings.Count(valid, tt.old))
			}
			m, err := hex.DecodeString(strings.Replace(valid, tt.old, tt.new, 1))
			if err != nil {
				t.Fatal(err)
			}
			var c change.Change
			err = xdr.NewDecoder(0, receipt).Decode(m, &c)
			wantError(t, err, tt.want)
		})
	}
}

// Two bins of one name are an error, at the second; the next message is read.
func TestDecoder_duplicateBin(t *testing.T) {
	d := xdr.NewDecoder(0, receipt)
	for _, count := range []int{2, 5, 40} {
		c := change.Change{Namespace: "n", Digest: change.Digest{1}}
		for i := range count {
			c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprint("bin", i), Value: change.IntegerValue(int64(i))})
		}
		good, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatal(err)
		}
		last := len(c.Bins) - 1
		c.Bins[last].Name = "bin0"
		bad, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var decoded change.Change
			wantError(t, d.Decode(good, &decoded), "")
			err := d.Decode(bad, &decoded)
			wantError(t, err, xdr.DuplicateBin)
			const op = 4 + 4 + 4 + 8 // its length, its head, its name, its value
			if e, ok := asError(err); !ok || e.Offset != len(bad)-op || e.Detail != `two bins are named "bin0"` {
				t.Errorf("%v, want the offset %d", err, len(bad)-op)
			}
		}
	}
}

// Names longer than the server allows are errors: the decoder keeps names for the whole stream.
func TestDecoder_longNames(t *testing.T) {
	for _, tt := range []struct {
		namespace, set int
		want           xdr.ErrorKind
	}{{31, 63, ""}, {32, 63, xdr.NameTooLong}, {31, 64, xdr.NameTooLong}} {
		c := change.Change{Namespace: strings.Repeat("n", tt.namespace), Set: strings.Repeat("s", tt.set)}
		m, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, xdr.NewDecoder(0, receipt).Decode(m, &c), tt.want)
	}
}

func wantError(t *testing.T, err error, want xdr.ErrorKind) {
	t.Helper()
	got := xdr.ErrorKind("")
	if e, ok := asError(err); ok {
		got = e.Kind
		if !change.IsPermanent(err) {
			t.Errorf("%v is not permanent", err)
		}
	}
	if got != want || want == "" && err != nil {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestAppendMessage_errors(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    change.Change
		err  string
	}{
		{"bin name too long", change.Change{Bins: []change.Bin{{Name: strings.Repeat("b", 256)}}}, "bin 0: name of 256 bytes"},
		{"bin above the largest integer", change.Change{Bins: []change.Bin{{Value: change.UnsignedValue(1 << 63)}}}, "unsigned is not the value of a bin"},
		{"key that is a bool", change.Change{Key: change.BoolValue(true)}, "bool cannot be a user key"},
		{"key above the largest integer", change.Change{Key: change.UnsignedValue(1 << 63)}, "unsigned cannot be a user key"},
		{"LUT in seconds", change.Change{LUT: 1735689600}, "not in milliseconds, or not from 2010"},
		{"too many bins", change.Change{Bins: make([]change.Bin, 1<<16)}, "65536 bins"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := xdr.AppendMessage(nil, &tt.c, receipt())
			if err == nil || !strings.Contains(err.Error(), tt.err) || !change.IsPermanent(err) {
				t.Errorf("error %v, want a permanent one that says %q", err, tt.err)
			}
		})
	}
}

func TestInflate(t *testing.T) {
	plain := xdr.Frame(message(5000, 0))
	good, err := xdr.AppendCompressed(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	claiming := func(n uint64) []byte {
		m := bytes.Clone(good)
		binary.BigEndian.PutUint64(m[8:], n)
		return m
	}
	compress := func(b []byte) []byte {
		m, err := xdr.AppendCompressed(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, tt := range []struct {
		name  string
		m     []byte
		limit int
		want  xdr.ErrorKind
	}{
		{"valid", good, 5000, ""},
		{"length in the byte order of old servers", claiming(bits.ReverseBytes64(5008)), 5000, ""},
		{"wrong length", claiming(5007), 5000, xdr.BadInflatedSize},
		{"over the limit", good, 4999, xdr.InflatedSizeTooBig},
		{"claims too little", claiming(10), 4999, xdr.BadInflatedSize},
		{"claims too much", claiming(5009), 6000, xdr.BadInflatedSize},
		{"claims more than the limit", claiming(1 << 40), 5000, xdr.InflatedSizeTooBig},
		{"no zlib stream", good[:16], 5000, xdr.BadZlib},
		{"stream cut", good[:len(good)-9], 5000, xdr.BadZlib},
		{"no length", good[:12], 5000, xdr.ShortBody},
		{"two messages", compress(append(message(30, 1), message(30, 2)...)), 5000, xdr.InflatedNotOneFrame},
		{"half a message", compress(message(30, 1)[:20]), 5000, xdr.InflatedNotOneFrame},
		{"not a message", compress([]byte("GET / HTTP/1.1\r\n\r\n")), 5000, xdr.InflatedNotOneFrame},
		{"compressed twice", compress(good), 5000, xdr.InflatedNotOneFrame},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := xdr.Inflate(tt.m, tt.limit)
			wantError(t, err, tt.want)
			if tt.want == "" && !bytes.Equal(got, plain) {
				t.Errorf("inflated to %x", got)
			}
		})
	}
	if got, _, err := xdr.Inflate(plain, 0); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("a plain frame became %x, %v", got, err)
	}
}

// Inflate allocates little more than the limit, whether or not a message states its true size.
func TestInflate_bounded(t *testing.T) {
	const limit = 1 << 20
	bomb, err := xdr.AppendCompressed(nil, message(20<<20, 0))
	if err != nil {
		t.Fatal(err)
	}
	understated := bytes.Clone(bomb)
	binary.BigEndian.PutUint64(understated[8:], limit)
	cut := bytes.Clone(bomb[:64]) // states much, can hold little
	binary.BigEndian.PutUint64(cut[8:], limit)
	for _, tt := range []struct {
		name string
		m    []byte
		want xdr.ErrorKind
		most uint64
	}{
		{"true size", bomb, xdr.InflatedSizeTooBig, 16 << 10},
		{"understated", understated, xdr.BadInflatedSize, 2*limit + limit/4},
		{"cut", cut, xdr.BadZlib, 256 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, n, err := xdr.Inflate(tt.m, limit)
			runtime.ReadMemStats(&after)
			wantError(t, err, tt.want)
			if n > 8+limit+1 || (n > limit) != (tt.name == "understated") {
				t.Errorf("inflated %d bytes", n)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > tt.most {
				t.Errorf("allocated %d bytes, want at most %d", grown, tt.most)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		if v.Kind == "request" {
			m, err := v.Bytes()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(m)
		}
	}
	d := xdr.NewDecoder(1<<20, receipt)
	f.Fuzz(func(t *testing.T, m []byte) {
		fr, err := xdr.NewReader(bytes.NewReader(m), 1<<20).Next()
		if err != nil {
			return
		}
		var c, again change.Change
		if err := d.Decode(fr, &c); err != nil {
			if _, ok := asError(err); !ok || !change.IsPermanent(err) {
				t.Fatalf("%v is not a permanent *xdr.Error", err)
			}
			return
		}
		encoded, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatalf("the decoded change cannot be encoded: %v\n%s", err, changetest.Describe(&c))
		}
		if err := d.Decode(encoded, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(changetest.Describe(&c)), string(changetest.Describe(&again))); diff != "" {
			t.Fatalf("(-decoded +decoded again):\n%s", diff)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(d *xdr.Decoder, f xdr.Frame, c *change.Change) error { return d.Decode(f, c) })
}

// BenchmarkMetadata measures the decoding of changes that are passed through as XDR.
func BenchmarkMetadata(b *testing.B) {
	benchmark(b, func(d *xdr.Decoder, f xdr.Frame, c *change.Change) error {
		_, err := d.Metadata(f, c)
		return err
	})
}

func benchmark(b *testing.B, decode func(*xdr.Decoder, xdr.Frame, *change.Change) error) {
	b.Helper()
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range vectors {
		if v.Name != "cap-all-auto-write" {
			continue
		}
		m, _ := v.Bytes()
		fr := frame(b, m)
		d := xdr.NewDecoder(0, time.Now)
		var c change.Change
		b.SetBytes(int64(len(m)))
		b.ReportAllocs()
		for b.Loop() {
			if err := decode(d, fr, &c); err != nil {
				b.Fatal(err)
			}
		}
	}
}
