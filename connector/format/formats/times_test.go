package formats_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// The times of a change are from 1970 to 9999, in every format. XDR cannot express others.
func TestParser_times(t *testing.T) {
	const endOfTime = 253402300799
	good := change.Change{Namespace: "n", LUT: 1, Expiry: 1}
	for _, tt := range []struct {
		name        string
		lut, expiry int64
		want        string
	}{
		{"unknown and never", 0, 0, ""},
		{"the first", 1, 1, ""},
		{"the last", endOfTime*1000 + 999, endOfTime, ""},
		{"LUT after it", endOfTime*1000 + 1000, 1, `the last update time 253402300800000 ms is outside the years 1970 to 9999`},
		{"LUT in nanoseconds", 1764000000000000000, 1, "outside the years"},
		{"largest LUT", math.MaxInt64, 1, "outside the years"},
		{"negative LUT", -1, 1, "the last update time -1 ms is outside the years 1970 to 9999"},
		{"smallest LUT", math.MinInt64, 1, "outside the years"},
		{"expiry after it", 1, endOfTime + 1, "the expiry 253402300800 s is outside the years 1970 to 9999"},
		{"largest expiry", 1, math.MaxInt64, "outside the years"},
		{"negative expiry", 1, -2, "the expiry -2 s is outside the years 1970 to 9999"},
		{"smallest expiry", 1, math.MinInt64, "outside the years"},
	} {
		c := good
		c.LUT, c.Expiry = tt.lut, tt.expiry
		for _, f := range []format.Format{typed, flat, packs, newAvro(t, mapOfAnything)} {
			body, mediaType := several(t, f, good, c, good)
			for _, bins := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/bins=%t", tt.name, f.Name(), bins), func(t *testing.T) {
					parsed, err := formats.Parser{MetadataKey: "metadata", Bins: bins}.Parse(mediaType, body)
					if err != nil || len(parsed) != 3 || parsed[0].Err != nil || parsed[2].Err != nil {
						t.Fatalf("%v, %v", parsed, err)
					}
					wantPermanent(t, parsed[1].Err, tt.want)
					if errors.Is(parsed[1].Err, format.ErrTooLarge) || parsed[1].Change.LUT != tt.lut || parsed[1].Change.Expiry != tt.expiry {
						t.Errorf("%v: LUT %d, expiry %d", parsed[1].Err, parsed[1].Change.LUT, parsed[1].Change.Expiry)
					}
				})
			}
		}
	}
}

// An expiry of -1 means never, too.
func TestParser_expiryOfMinusOne(t *testing.T) {
	c := change.Change{Namespace: "n", Expiry: 7}
	for _, f := range []format.Format{typed, flat, packs, newAvro(t, mapOfAnything)} {
		record, err := f.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		_, mediaType := f.Seal(record, 1)
		for old, minusOne := range map[string]string{`"exp":7`: `"exp":-1`, "\xc0\x07\xc0": "\xc0\xff\xc0", "\x06exp\x04\x0e": "\x06exp\x04\x01"} {
			record = []byte(strings.Replace(string(record), old, minusOne, 1))
		}
		parsed, err := reading(newAvro(t, mapOfAnything)).Parse(mediaType, record)
		if err != nil || parsed[0].Err != nil || parsed[0].Change.Expiry != 0 {
			t.Errorf("%s: %v, %v", f.Name(), parsed, err)
		}
	}
}
