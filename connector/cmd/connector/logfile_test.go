package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logs returns the contents of the files in folder, by name.
func logs(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Name()] = string(text)
	}
	return texts
}

func writeLine(t *testing.T, l *logFile, line string) {
	t.Helper()
	if _, err := l.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
}

// A new file starts each day in UTC, and only the given number of old ones is kept.
func TestLogFile_rotates(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	l, err := openLogFile(filepath.Join(folder, "log[1]"), 2, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i, line := range []string{"a", "b", "c", "d", "e"} {
		writeLine(t, l, line)
		if i > 0 {
			now = now.Add(24 * time.Hour)
		}
	}
	want := map[string]string{"log[1]": "e\n", "log[1].2026-11-24": "d\n", "log[1].2026-11-23": "c\n"}
	if diff := cmp.Diff(want, logs(t, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A file that was last written yesterday is renamed at the first line of today.
func TestLogFile_fromYesterday(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "log")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	yesterday := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, the file is from today
		l, err := openLogFile(path, 30, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		writeLine(t, l, "new")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"log": "new\nnew\n", "log.2026-11-21": "old\n"}, logs(t, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// If the file of a new day cannot be started, the old one is used, and the error is written once.
func TestLogFile_cannotRotate(t *testing.T) {
	folder := t.TempDir()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(folder, "log")
	if err := os.WriteFile(path+".2026-11-22", []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLogFile(path, 0, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	writeLine(t, l, "a")
	now = now.Add(24 * time.Hour)
	writeLine(t, l, "b")
	writeLine(t, l, "c")
	text := logs(t, folder)
	if want := "a\nlogging.file: cannot start a new file for the day: " + path + ".2026-11-22 already exists\nb\nc\n"; text["log"] != want || text["log.2026-11-22"] != "kept\n" {
		t.Errorf("%q", text)
	}
}

func TestEscapeGlob(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, `a[b]*?\c`)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(escapeGlob(path)); err != nil || !slices.Equal(found, []string{path}) {
		t.Errorf("%q, %v", found, err)
	}
}
