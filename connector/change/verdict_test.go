package change_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
)

func TestIsPermanent(t *testing.T) {
	never := change.Permanent(errors.New("not a change"))
	again := errors.New("try later")
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"delivered", nil, false},
		{"nil marked", change.Permanent(nil), false},
		{"unmarked", again, false},
		{"marked", never, true},
		{"wrapped", fmt.Errorf("destination a: %w", never), true},
		{"two joined", errors.Join(never, never), true},
		{"one of two joined", errors.Join(never, again), false},
		{"wrapped around joined", fmt.Errorf("send: %w", errors.Join(again, never)), false},
		{"two wrapped", fmt.Errorf("%w and %w", never, never), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := change.IsPermanent(tt.err); got != tt.want {
				t.Errorf("IsPermanent(%v) = %t, want %t", tt.err, got, tt.want)
			}
		})
	}
	if errors.Unwrap(never).Error() != "not a change" {
		t.Error("Permanent hides the error it marks")
	}
}
