package main

import (
	"testing"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/config"
)

// What config warns of is what the corridor does.
func TestBudget(t *testing.T) {
	if config.Budget != connector.Budget {
		t.Errorf("config counts on %s, the corridor gives up after %s", config.Budget, connector.Budget)
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "no faults", 1: "1 fault", 2: "2 faults"} {
		if got := counted(n, "fault"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
