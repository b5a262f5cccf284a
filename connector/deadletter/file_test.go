package deadletter

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verdicts is a recipient that sends its verdicts to a channel.
type verdicts chan error

func (v verdicts) Done(err error) { v <- err }

// store stores a dead letter in f and returns its verdict.
func store(f *File) error {
	verdict := make(verdicts, 1)
	f.Store(Letter{Message: []byte("m"), Reason: "refused"}, time.Time{}, verdict)
	return <-verdict
}

// count returns how many lines of the files in a directory are dead letters.
func count(t *testing.T, directory string) int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			if _, err := ParseLine(line); err != nil {
				t.Logf("%s: %v", path, err)
				continue
			}
			n++
		}
	}
	return n
}

// A line that a crash has left unfinished does not damage the next one. A file that cannot be
// written is opened again. Each day has a file of its own.
func TestFile_recovers(t *testing.T) {
	directory := t.TempDir()
	f, err := OpenFile(directory)
	if err != nil {
		t.Fatal(err)
	}
	if err := store(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	path := f.pathToday()
	crashed, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := crashed.WriteString(`{"time":"20`); err != nil {
		t.Fatal(err)
	}
	crashed.Close()

	if f, err = OpenFile(directory); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := store(f); err != nil {
		t.Fatal(err)
	}
	if n := count(t, directory); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.file.Close()
	f.file = readOnly // run waits, so there is no race
	if err := store(f); err == nil {
		t.Error("Done with nil for a dead letter that was not written")
	}
	if err := store(f); err != nil {
		t.Errorf("the file was not opened again: %v", err)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	f.now = func() time.Time { return tomorrow }
	if err := store(f); err != nil {
		t.Fatal(err)
	}
	if f.pathToday() == path {
		t.Error("yesterday's file is still used")
	}
	if n := count(t, directory); n != 4 {
		t.Errorf("%d dead letters, want 4", n)
	}
}

// After the file was removed or renamed, the next dead letter goes into a new one.
func TestFile_removedOrRenamed(t *testing.T) {
	directory := t.TempDir()
	f, err := OpenFile(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, take := range []func(string) error{os.Remove, func(path string) error { return os.Rename(path, path+".1") }} {
		if err := take(f.pathToday()); err != nil {
			t.Fatal(err)
		}
		if err := store(f); err != nil {
			t.Fatal(err)
		}
		if n := count(t, directory); n != 1 {
			t.Errorf("%d dead letters, want 1", n)
		}
	}
}

func TestOpenFile_notADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), "dead letters: ") {
		t.Errorf("error %v", err)
	}
}
