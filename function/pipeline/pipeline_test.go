package pipeline

import "testing"

func TestNodeAddress_oneAddress(t *testing.T) {
	for _, listener := range []string{"10.0.0.5:8901", "[fd00::1]:8901"} {
		if got, hint := nodeAddress(listener); got != listener || hint != "the address of -listen" {
			t.Errorf("%s: %s (%s)", listener, got, hint)
		}
	}
}
