package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What is not a terminal gets plain text in lines of any length, whatever the environment.
func TestScreenOf_notATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "")
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := ScreenOf(file); got != (Screen{}) {
		t.Errorf("a file: %+v", got)
	}
	if got := ScreenOf(new(bytes.Buffer)); got != (Screen{}) {
		t.Errorf("a buffer: %+v", got)
	}
}
