package formats_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

// several appends changes and seals them.
func several(t fataler, f format.Format, changes ...change.Change) (body []byte, mediaType string) {
	var records []byte
	for i := range changes {
		var err error
		if records, err = f.Append(records, &changes[i]); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	return f.Seal(records, len(changes))
}

type fataler interface{ Fatalf(string, ...any) }

// wantChanges checks that body holds just the changes.
func wantChanges(t fataler, f format.Format, p formats.Parser, mediaType string, body []byte, want ...change.Change) {
	parsed, err := p.Parse(mediaType, body)
	if err != nil || len(parsed) != len(want) {
		t.Fatalf("%d changes, want %d: %v", len(parsed), len(want), err)
	}
	for i := range want {
		if parsed[i].Err != nil || parsed[i].Format != f.Name() {
			t.Fatalf("change %d, taken for %s: %v", i, parsed[i].Format, parsed[i].Err)
		}
		if diff := cmp.Diff(string(changetest.Describe(&want[i])), string(changetest.Describe(&parsed[i].Change))); diff != "" {
			t.Fatalf("change %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestXDRLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []change.Change
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			c := changetest.Arbitrary{}.Change(t)
			c.Expiry = 0 // counts from the present
			want = append(want, c)
		}
		body, mediaType := several(t, raw.Format{}, want...)
		wantChanges(t, raw.Format{}, all, mediaType, body, want...)
	})
}

func TestXDRExpiry(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	frame, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", Expiry: now.Unix() + 60}, now)
	if err != nil {
		t.Fatal(err)
	}
	p := formats.Parser{Now: func() time.Time { return now.Add(time.Second) }}
	parsed, err := p.Parse(format.MediaXDR, frame)
	if err != nil || parsed[0].Change.Expiry != now.Unix()+61 {
		t.Errorf("%v, %v: want 60 s after the receipt", parsed, err)
	}
}

// What was shipped is passed on to the byte, and understood in every way that it
// may come.
func TestXDRPassesFramesThrough(t *testing.T) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for _, v := range vectors {
		if b, err := v.Bytes(); v.Kind == "request" && v.Valid && err == nil {
			frames = append(frames, b)
		}
	}
	if len(frames) < 10 {
		t.Fatalf("%d vectors", len(frames))
	}
	var joined, marked []byte
	for _, f := range frames {
		body, mediaType := raw.Format{}.Seal(f, 1)
		if want := append([]byte{1}, f...); !bytes.Equal(body, want) || mediaType != "application/octet-stream" {
			t.Errorf("%s % x, want % x", mediaType, body, want)
		}
		joined, marked = append(joined, f...), append(append(marked, 1), f...)
	}
	body, mediaType := raw.Format{}.Seal(joined, len(frames))
	if !bytes.Equal(body, joined) || mediaType != "application/vnd.aerosink.xdr" {
		t.Errorf("a batch became %s of %d bytes, want the %d that went in", mediaType, len(body), len(joined))
	}
	for name, body := range map[string][]byte{"bare": joined, "with a version each": marked, "with one version": append([]byte{1}, joined...)} {
		for _, mediaType := range []string{format.MediaXDR, format.MediaOctets} {
			parsed, err := all.Parse(mediaType, body)
			if err != nil || len(parsed) != len(frames) {
				t.Fatalf("%s: %d of %d changes: %v", name, len(parsed), len(frames), err)
			}
			for i := range parsed {
				if parsed[i].Err != nil || !bytes.Equal(parsed[i].Data, frames[i]) {
					t.Errorf("%s: change %d: %v % x", name, i, parsed[i].Err, parsed[i].Data)
				}
			}
		}
	}
}

func TestXDRFaults(t *testing.T) {
	good, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for end := 1; end < len(good); end++ {
		_, err := all.Parse(format.MediaXDR, good[:end])
		wantPermanent(t, err, "byte 0: unexpected EOF")
	}
	_, err = all.Parse(format.MediaOctets, []byte{1})
	wantPermanent(t, err, "byte 1: unexpected EOF")
	_, err = all.Parse(format.MediaOctets, append(bytes.Clone(good), "secret of more than 8 bytes"...))
	wantPermanent(t, err, fmt.Sprintf("byte %d: not an XDR message: it begins with 0x73, want 0x02 (with a proto header) or 0x16 (without)", len(good)))

	broken := bytes.Clone(good)
	broken[8+1] = 0 // no bit says XDR
	parsed, err := all.Parse(format.MediaXDR, append(broken, good...))
	if err != nil || len(parsed) != 2 || parsed[1].Err != nil {
		t.Fatalf("%v, %v: a message that makes no sense spoils its neighbour", parsed, err)
	}
	wantPermanent(t, parsed[0].Err, "byte 0: xdr message: not-xdr")
	if !bytes.Equal(parsed[0].Data, broken) {
		t.Errorf("data % x", parsed[0].Data)
	}
}

// Many messages, each of which inflates to little enough, together are a bomb.
func TestXDRBomb(t *testing.T) {
	big := change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: change.StringValue(make([]byte, 22<<20))}}}
	frame, err := xdr.AppendMessage(nil, &big, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := xdr.AppendCompressed(nil, frame)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := all.Parse(format.MediaXDR, compressed); err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		t.Errorf("%d changes, %v", len(parsed), err)
	}
	_, err = all.Parse(format.MediaXDR, bytes.Repeat(compressed, 1000))
	wantPermanent(t, err, "the messages inflate to more than 67108864 bytes")
}

func FuzzXDR(f *testing.F) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		if b, err := v.Bytes(); err == nil && v.Kind != "ack" {
			f.Add(b)
			f.Add(b[min(8, len(b)):]) // without its proto header
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range sound(t, all, format.MediaXDR, body) {
			c := p.Change
			if c.Expiry > 0 {
				c.Expiry = 0
			}
			again, err := raw.Format{}.Append(nil, &c)
			if err != nil {
				continue // a time that XDR has no room for
			}
			wantChanges(t, raw.Format{}, all, format.MediaXDR, again, c)
		}
	})
}
