package formats_test

import (
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
)

// tight are limits that many bodies exceed.
var tight = format.Limits{Inflated: 4096, Changes: 3, Change: 200, Depth: 2}

// sound parses any body and returns the changes that could be read. It checks what must
// always be true: errors are permanent and name an offset in the body, the limits hold,
// and the memory is bounded by the body and the limits.
func sound(t *testing.T, p formats.Parser, mediaType string, body []byte) (good []format.Parsed) {
	t.Helper()
	p.Limits.Inflated = 1 << 20
	parsed := checked(t, p, mediaType, body)
	for _, one := range parsed {
		if one.Err == nil {
			good = append(good, one)
		}
	}
	p.Limits = tight
	within := checked(t, p, mediaType, body)
	if len(within) > tight.Changes || len(within) > 0 && len(within) != len(parsed) {
		t.Fatalf("%d of %d changes, the limit is %d", len(within), len(parsed), tight.Changes)
	}
	for i, one := range within {
		if one.Err != nil {
			if parsed[i].Err == nil && !errors.Is(one.Err, format.ErrTooLarge) {
				t.Fatalf("change %d: %v, which is over no limit", i, one.Err)
			}
			continue
		}
		if parsed[i].Err != nil || len(one.Data) > tight.Change {
			t.Fatalf("change %d of %d bytes is within the limits: %v", i, len(one.Data), parsed[i].Err)
		}
		for _, b := range one.Change.Bins {
			if b.Value.Depth() > tight.Depth {
				t.Fatalf("change %d nests %d deep", i, b.Value.Depth())
			}
		}
	}
	return good
}

func checked(t *testing.T, p formats.Parser, mediaType string, body []byte) []format.Parsed {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	parsed, err := p.Parse(mediaType, body)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20+200*uint64(len(body)) {
		t.Fatalf("%d bytes allocated for a body of %d", used, len(body))
	}
	if err != nil && (!change.IsPermanent(err) || parsed != nil) {
		t.Fatalf("%v is not permanent, or comes with %d changes", err, len(parsed))
	}
	for i, one := range parsed {
		if one.Err != nil && !change.IsPermanent(one.Err) {
			t.Fatalf("change %d: %v is not permanent", i, one.Err)
		}
		if one.Offset < 0 || one.Offset > len(body) || len(one.Data) == 0 && mediaType != format.MediaAvro || one.Format == "" {
			t.Fatalf("change %d of %d bytes in %q at byte %d of %d: %v", i, len(one.Data), one.Format, one.Offset, len(body), one.Err)
		}
	}
	return parsed
}

var (
	typed = jsonformat.Format{StringifyMapKeys: true}
	flat  = jsonformat.Flat{MetadataKey: "metadata", StringifyMapKeys: true}
	all   = formats.Parser{MetadataKey: "metadata", Bins: true}
)

func bin(v change.Value) change.Change {
	return change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: v}}}
}

// packed returns the list or map whose encoding is given in hexadecimal digits.
func packed(t *testing.T, kind change.Kind, digits string) change.Value {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	parse := change.ListValue
	if kind == change.KindMap {
		parse = change.MapValue
	}
	v, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

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

// wantChanges checks that body holds exactly the given changes.
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

func wantPermanent(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !change.IsPermanent(err)):
		t.Errorf("error %v, want a permanent error with %q", err, want)
	}
}

const digest64 = "4cggTFyCxaDjqb2pso88/imO2Sg="

// withoutWire returns c without what only XDR can carry.
func withoutWire(c change.Change) change.Change {
	c.Mode, c.SourceID, c.BinLUTs = change.ModeUnknown, 0, false
	for i := range c.Bins {
		b := &c.Bins[i]
		b.LUT, b.SourceID = 0, 0
		if b.Value.Kind() == change.KindGeoJSON {
			b.Value = change.GeoJSONValue(b.Value.Bytes())
		}
	}
	return c
}

// repacked returns a collection with other orders.
func repacked(t *rapid.T, v change.Value, order func(v change.Value, depth int, order change.Order) change.Order) change.Value {
	var p change.Packer
	r := v.Elements()
	var add func(v change.Value, depth int)
	add = func(v change.Value, depth int) {
		if !v.Kind().IsCollection() {
			p.Add(v)
			return
		}
		n := v.Len()
		if v.Kind() == change.KindMap {
			n *= 2
		}
		p.Open(v.Kind(), order(v, depth, v.Order()))
		for range n {
			add(r.Next(), depth+1)
		}
		p.Close()
	}
	add(v, 1)
	again, err := p.Value(v.Kind())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return again
}
