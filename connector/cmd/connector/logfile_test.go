package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
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

// After the file was moved or removed, with its folder or without, lines go to the path
// again, also if something else has created the file there.
func TestLogFile_movedOrRemoved(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(path string) error
		want   map[string]string
	}{
		"moved": {func(path string) error { return os.Rename(path, path+".1") }, map[string]string{"c.log": "b\nc\n", "c.log.1": "a\n"}},
		"moved, and created": {
			func(path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, []byte("new\n"), 0o600))
			},
			map[string]string{"c.log": "new\nb\nc\n", "c.log.1": "a\n"},
		},
		"removed":                 {os.Remove, map[string]string{"c.log": "b\nc\n"}},
		"removed with its folder": {func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, map[string]string{"c.log": "b\nc\n"}},
		"truncated":               {func(path string) error { return os.Truncate(path, 0) }, map[string]string{"c.log": "b\nc\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "l")
			path := filepath.Join(folder, "c.log")
			l, err := openLogFile(path, 30, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			writeLine(t, l, "a")
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			writeLine(t, l, "b")
			writeLine(t, l, "c")
			if diff := cmp.Diff(tt.want, logs(t, folder)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// If the path cannot be opened again, lines still go to the old file, and the log says why,
// once. The next line that can goes to the path.
func TestLogFile_cannotOpenAgain(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "c.log")
	l, err := openLogFile(path, 30, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	writeLine(t, l, "a")
	if err := errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	writeLine(t, l, "b")
	writeLine(t, l, "c")
	if err := l.Reopen(); err == nil {
		t.Error("a folder was opened as a log")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeLine(t, l, "d")
	want := map[string]string{
		"c.log":   "d\n",
		"c.log.1": "a\nlogging.file: cannot open the file again: open " + path + ": is a directory\nb\nc\n",
	}
	if diff := cmp.Diff(want, logs(t, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A file that Reopen opens has its own day, so that yesterday's is renamed as at a start.
func TestLogFile_Reopen(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "c.log")
	l, err := openLogFile(path, 30, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	writeLine(t, l, "a")
	yesterday := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if err := errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, []byte("old\n"), 0o600), os.Chtimes(path, yesterday, yesterday), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	writeLine(t, l, "b")
	if diff := cmp.Diff(map[string]string{"c.log": "b\n", "c.log.2026-11-21": "old\n", "c.log.1": "a\n"}, logs(t, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Only a regular file is renamed at midnight: a link, as /dev/stdout is one, and a pipe stay
// what they are.
func TestLogFile_notRegular(t *testing.T) {
	folder := t.TempDir()
	link, pipe := filepath.Join(folder, "link"), filepath.Join(folder, "pipe")
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "target"), []byte("before\n"), 0o600), os.Symlink("target", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, path := range []string{link, pipe} {
		l, err := openLogFile(path, 0, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		writeLine(t, l, "a")
		now = now.Add(24 * time.Hour)
		writeLine(t, l, "b")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text := make([]byte, 100)
	n, err := reader.Read(text)
	if err != nil || string(text[:n]) != "a\nb\n" {
		t.Errorf("the pipe has %q, %v", text[:n], err)
	}
	if err := os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"link": "before\na\nb\n", "target": "before\na\nb\n"}, logs(t, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info, err)
	}
}

// SIGHUP opens the log file again, as logrotate expects.
func TestBinary_logFileMoved(t *testing.T) {
	folder := t.TempDir()
	path, config := filepath.Join(folder, "l", "c.log"), filepath.Join(folder, "connector.yml")
	write(t, config, []byte("service: {port: 0, address: 127.0.0.1, manage: {port: 0, address: 127.0.0.1}}\ndestinations: {a: {urls: [\"http://b\"]}}\nrouting: {mode: skip}\nlogging: {file: l/c.log}\n"))
	process := changetest.Command(t, "-config", config)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	has := func(path, text string) func() bool {
		return func() bool {
			content, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(content), text)
		}
	}
	changetest.WaitFor(t, "a log file", has(path, "connector started"))
	if err := errors.Join(os.Rename(path, path+".1"), process.Process.Signal(syscall.SIGHUP)); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "a new log file", has(path, "reloaded"))
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Error(err)
	}
	if !has(path, "connector stopped")() || has(path+".1", "reloaded")() {
		t.Errorf("log files %q", logs(t, filepath.Dir(path)))
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
