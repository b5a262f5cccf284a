package cli

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the end of a pseudo-terminal that programs write to.
func openTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	}
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal
}

func TestScreenOf_terminal(t *testing.T) {
	terminal := openTerminal(t, 83)
	for _, tt := range []struct {
		noColor, term string
		want          Screen
	}{
		{"", "xterm-256color", Screen{Columns: 83, Color: true}},
		{"1", "xterm-256color", Screen{Columns: 83}},
		{"", "dumb", Screen{Columns: 83}},
	} {
		t.Setenv("NO_COLOR", tt.noColor)
		t.Setenv("TERM", tt.term)
		if got := ScreenOf(terminal); got != tt.want {
			t.Errorf("NO_COLOR=%q TERM=%s: %+v, want %+v", tt.noColor, tt.term, got, tt.want)
		}
	}
}
