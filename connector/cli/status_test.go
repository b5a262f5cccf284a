package cli

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatus(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{failed, 1},
		{Usagef("pick one"), 2},
		{WithStatus(failed, 3), 3},
		{fmt.Errorf("prog do: %w", WithStatus(failed, 3)), 3},
		{errors.Join(failed, WithStatus(failed, 3)), 3},
	} {
		if got := status(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
	if err := WithStatus(failed, 3); !errors.Is(err, failed) || err.Error() != "failed" {
		t.Errorf("%v is not the error it was made of", err)
	}
}
