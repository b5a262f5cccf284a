package xdr_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
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

func TestStories(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		c := decode(t, s.Hex(t, "frame.hex"))
		s.Check(t, "change.json", changetest.Describe(&c))
	}, "frame.hex", "change.json")
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
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

// A Decoder's change is overwritten whole by the next message.
func TestDecodeLeavesNothingBehind(t *testing.T) {
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

func TestExpiry(t *testing.T) {
	now := receipt().Unix()
	for _, tt := range []struct {
		name string
		ttl  uint32
		want int64
	}{
		{"never", math.MaxUint32, 0},
		{"in an hour", 3600, now + 3600},
		{"the namespace's default", 0, change.ExpiryUnknown},
		{"left as it was", math.MaxUint32 - 1, change.ExpiryUnknown},
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
	t.Run("passed on the way", func(t *testing.T) {
		m, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", Expiry: now - 5}, receipt())
		if err != nil {
			t.Fatal(err)
		}
		if ttl := binary.BigEndian.Uint32(m[18:]); ttl != 1 {
			t.Errorf("ttl %d, want 1: 0 would mean the namespace's default", ttl)
		}
	})
}

// Every fault that no vector has, made from a valid message.
func TestFaults(t *testing.T) {
	valid := "020300000000006216100110000000000007ffffffff000000000004000100000005007465737400000015047b1b7195a5105b7c4ab113c47ca4d4b6247b696b000000080203757365722d31000000090e0000007b5f1a66ea0000000d02010001610000000000000001"
	for _, tt := range []struct {
		name, old, new string
		fault          xdr.ErrorKind
	}{
		{"neither write nor delete", "16100110", "16100010", xdr.NotWrite},
		{"field header cut", valid[60:], "000000", xdr.TruncatedField},
		{"no fields", "00040001", "00000000", xdr.MissingNamespace},
		{"an unknown field", "000000090e0000007b5f1a66ea", "00000009630000007b5f1a66ea", ""},
		{"LUT of 7 bytes", "000000080203757365722d31000000090e0000007b5f1a66ea", "00000009630375736572ffffff000000080e00007b5f1a66ea", xdr.BadLUTSize},
		{"key without a type", "000000080203757365722d31", "00000001020000000463757265", xdr.BadKey},
		{"key that is a list", "0203757365722d31", "021475736572ffff", xdr.BadKey},
		{"integer key of 6 bytes", "0203757365722d31", "0201757365722d31", xdr.BadKey},
		{"op shorter than its head", "0000000d0201", "000000030201", xdr.OpOverrunsBody},
		{"op beyond the body", "0000000d0201", "0000000e0201", xdr.OpOverrunsBody},
		{"op that is no write", "0000000d0201", "0000000d0101", xdr.UnexpectedOp},
		{"integer of 7 bytes", "02010001610000", "02010002616100", xdr.BadParticle},
		{"double of 7 bytes", "02010001610000", "02020002616100", xdr.BadParticle},
		{"deleted bin with a value", "02010001610000", "02000001610000", xdr.BadParticle},
		{"geojson cut", "0201000161000000000000", "0217000161000100000000", xdr.BadParticle},
		{"bin LUT beyond the op", "02010001610000", "02010102610000", xdr.OpLUTOverrunsOp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Count(valid, tt.old) != 1 {
				t.Fatalf("%s is %d times in the message", tt.old, strings.Count(valid, tt.old))
			}
			m, err := hex.DecodeString(strings.Replace(valid, tt.old, tt.new, 1))
			if err != nil {
				t.Fatal(err)
			}
			var c change.Change
			err = xdr.NewDecoder(0, receipt).Decode(m, &c)
			wantFault(t, err, tt.fault)
		})
	}
}

// No node has names so long, and they would be kept for as long as the stream.
func TestLongNames(t *testing.T) {
	for _, tt := range []struct {
		namespace, set int
		fault          xdr.ErrorKind
	}{{31, 63, ""}, {32, 63, xdr.NameTooLong}, {31, 64, xdr.NameTooLong}} {
		c := change.Change{Namespace: strings.Repeat("n", tt.namespace), Set: strings.Repeat("s", tt.set)}
		m, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, xdr.NewDecoder(0, receipt).Decode(m, &c), tt.fault)
	}
}

func wantFault(t *testing.T, err error, want xdr.ErrorKind) {
	t.Helper()
	got := xdr.ErrorKind("")
	if fault, ok := asFault(err); ok {
		got = fault.Kind
		if !change.IsPermanent(err) {
			t.Errorf("%v is not permanent", err)
		}
	}
	if got != want || want == "" && err != nil {
		t.Errorf("error %v, want fault %q", err, want)
	}
}

func TestAppendMessage_inexpressible(t *testing.T) {
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
		fault xdr.ErrorKind
	}{
		{"as a node ships it", good, 5000, ""},
		{"length in the byte order of old servers", claiming(bits.ReverseBytes64(5008)), 5000, ""},
		{"wrong length", claiming(5007), 5000, xdr.BadInflatedSize},
		{"over the limit", good, 4999, xdr.InflatedSizeTooBig},
		{"claims little, inflates to much", claiming(10), 4999, xdr.BadInflatedSize},
		{"claims more than it has", claiming(5009), 6000, xdr.BadInflatedSize},
		{"claims much", claiming(1 << 40), 5000, xdr.InflatedSizeTooBig},
		{"no stream", good[:16], 5000, xdr.BadZlib},
		{"stream cut", good[:len(good)-9], 5000, xdr.BadZlib},
		{"no length", good[:12], 5000, xdr.ShortBody},
		{"two messages", compress(append(message(30, 1), message(30, 2)...)), 5000, xdr.InflatedNotOneFrame},
		{"half a message", compress(message(30, 1)[:20]), 5000, xdr.InflatedNotOneFrame},
		{"no message", compress([]byte("GET / HTTP/1.1\r\n\r\n")), 5000, xdr.InflatedNotOneFrame},
		{"compressed twice", compress(good), 5000, xdr.InflatedNotOneFrame},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := xdr.Inflate(tt.m, tt.limit)
			wantFault(t, err, tt.fault)
			if tt.fault == "" && !bytes.Equal(got, plain) {
				t.Errorf("inflated to %x", got)
			}
		})
	}
	if got, _, err := xdr.Inflate(plain, 0); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("a plain frame became %x, %v", got, err)
	}
}

// A bomb costs no more than the limit, whether it is honest about its size or not.
func TestInflateIsBounded(t *testing.T) {
	const limit = 1 << 20
	bomb, err := xdr.AppendCompressed(nil, message(20<<20, 0))
	if err != nil {
		t.Fatal(err)
	}
	liar := bytes.Clone(bomb)
	binary.BigEndian.PutUint64(liar[8:], limit)
	little := bytes.Clone(bomb[:64]) // claims much, can hold little
	binary.BigEndian.PutUint64(little[8:], limit)
	for _, tt := range []struct {
		name  string
		m     []byte
		fault xdr.ErrorKind
		most  uint64
	}{
		{"honest", bomb, xdr.InflatedSizeTooBig, 16 << 10},
		{"lying", liar, xdr.BadInflatedSize, 2*limit + limit/4},
		{"cut", little, xdr.BadZlib, 256 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, n, err := xdr.Inflate(tt.m, limit)
			runtime.ReadMemStats(&after)
			wantFault(t, err, tt.fault)
			if n > 8+limit+1 || (n > limit) != (tt.name == "lying") {
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
			if _, ok := asFault(err); !ok || !change.IsPermanent(err) {
				t.Fatalf("%v is no permanent fault", err)
			}
			return
		}
		encoded, err := xdr.AppendMessage(nil, &c, receipt())
		if err != nil {
			t.Fatalf("decoded what cannot be encoded: %v\n%s", err, changetest.Describe(&c))
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

// BenchmarkMetadata is what a change costs that goes on as it came.
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
