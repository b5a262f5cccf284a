package formats_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
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

func TestRaw_roundTrip(t *testing.T) {
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

func TestRawParse_expiry(t *testing.T) {
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

// Messages are passed on unchanged, and read in every form in which they may come.
func TestRawParse_framesUnchanged(t *testing.T) {
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

func TestRawParse_invalidMessages(t *testing.T) {
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
		t.Fatalf("%v, %v: an invalid message affects the next", parsed, err)
	}
	wantPermanent(t, parsed[0].Err, "byte 0: xdr message: not-xdr")
	if !bytes.Equal(parsed[0].Data, broken) {
		t.Errorf("data % x", parsed[0].Data)
	}
}

// Many messages, each within the limit, exceed it together.
func TestRawParse_bomb(t *testing.T) {
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

func FuzzRaw(f *testing.F) {
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
				continue // a time that XDR cannot express
			}
			wantChanges(t, raw.Format{}, all, format.MediaXDR, again, c)
		}
	})
}

// Each XDR message may come with or without its proto header and ESP's version byte.
func TestRawParse_variants(t *testing.T) {
	var frames []xdr.Frame
	for i := range 3 {
		c := bin(change.IntegerValue(int64(i)))
		frame, err := xdr.AppendMessage(nil, &c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	compressed, err := xdr.AppendCompressed(nil, frames[2])
	if err != nil {
		t.Fatal(err)
	}
	bare := func(i int) string { return string(frames[i][8:]) }
	framed := func(i int) string { return string(frames[i]) }
	const esp = "\x01"
	for name, body := range map[string]string{
		"bare": bare(0) + bare(1) + bare(2), "bare with ESP's byte": esp + bare(0) + esp + bare(1) + esp + bare(2), "bare, framed, bare": bare(0) + framed(1) + bare(2),
		"ESP's byte here and there": framed(0) + esp + bare(1) + framed(2), "with a compressed one": bare(0) + esp + framed(1) + esp + string(compressed),
	} {
		for _, mediaType := range []string{format.MediaXDR, format.MediaOctets} {
			parsed, err := all.Parse(mediaType, []byte(body))
			if err != nil || len(parsed) != 3 {
				t.Fatalf("%s: %d changes, %v", name, len(parsed), err)
			}
			for i, one := range parsed {
				want := []byte(frames[i])
				if i == 2 && strings.Contains(name, "compressed") {
					want = compressed
				}
				if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(one.Data)); diff != "" || one.Err != nil || one.Change.Bins[0].Value.Integer() != int64(i) {
					t.Errorf("%s: message %d: %v (-want +got):\n%s", name, i, one.Err, diff)
				}
			}
		}
	}
	for end := 1; end < len(bare(0)); end++ {
		_, err := all.Parse(format.MediaXDR, []byte(framed(1)+bare(0)[:end]))
		wantPermanent(t, err, fmt.Sprintf("byte %d: xdr message: ", len(frames[1])))
	}
	for _, first := range []string{"\x00", "\x03", "{", "\x93", "\x17", "\xff"} {
		_, err := all.Parse(format.MediaXDR, []byte(framed(0)+first+"secret"))
		wantPermanent(t, err, fmt.Sprintf("byte %d: not an XDR message: it begins with 0x%02x, want 0x02 (with a proto header) or 0x16 (without)", len(frames[0]), first[0]))
	}
	unread := []byte(bare(0))
	unread[1] = 0 // no bit says XDR
	parsed, err := all.Parse(format.MediaXDR, append(unread, bare(1)...))
	if err != nil || len(parsed) != 2 || parsed[1].Err != nil {
		t.Fatalf("%v, %v: an invalid bare message affects the next", parsed, err)
	}
	wantPermanent(t, parsed[0].Err, "byte 0: xdr message: not-xdr")
}
