package xdr_test

import (
	"encoding/hex"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// The digests of the captures were computed by Aerospike's clients.
func TestDigest_captures(t *testing.T) {
	tested := map[change.Kind]int{}
	eachVector(t, "request", true, func(t *testing.T, _ xdrtest.Vector, message []byte) {
		c := decode(t, message)
		if c.Key.Kind() == change.KindNil {
			return
		}
		if d, ok := xdr.Digest(c.Set, c.Key); !ok || d != c.Digest {
			t.Errorf("digest %s, want %s", d, c.Digest)
		}
		tested[c.Key.Kind()]++
	})
	if tested[change.KindInteger] == 0 || tested[change.KindString] == 0 || tested[change.KindBlob] == 0 {
		t.Errorf("tested %v", tested)
	}
}

func TestDigest_keys(t *testing.T) {
	list, err := change.ListValue([]byte{0x90})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		set  string
		key  change.Value
		want string // "" if there is none
	}{
		{"integer", "set1", change.IntegerValue(777), "ffe3edca38f4eb05bdcf1d009f13a6ab8e71273b"},
		{"no key", "set1", change.Value{}, ""},
		{"bool", "set1", change.BoolValue(true), ""},
		{"unsigned", "set1", change.UnsignedValue(1 << 63), ""},
		{"GeoJSON", "set1", change.GeoJSONValue([]byte("{}")), ""},
		{"list", "set1", list, ""},
	} {
		d, ok := xdr.Digest(tt.set, tt.key)
		if ok != (tt.want != "") || ok && hex.EncodeToString(d[:]) != tt.want {
			t.Errorf("%s: %x, %t, want %q", tt.name, d, ok, tt.want)
		}
	}
}
