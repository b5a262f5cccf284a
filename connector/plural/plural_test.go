package plural_test

import (
	"testing"

	"github.com/aerosink/aerosink/connector/plural"
)

func TestOf(t *testing.T) {
	for n, want := range map[int]string{-1: "-1 bytes", 0: "0 bytes", 1: "1 byte", 2: "2 bytes"} {
		if got := plural.Of(n, "byte"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
