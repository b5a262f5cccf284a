package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// logFile is a log of which a new file begins each day, in UTC. The files of other
// days have the date behind their name.
type logFile struct {
	path    string
	history int // files of other days that are kept
	now     func() time.Time

	mu   sync.Mutex
	file *os.File
	day  string // that file is of
}

const dateFormat = "2006-01-02"

// openLogFile opens the log at path, and makes its folder if it is not there. What
// is in it from another day is moved away at the first line.
func openLogFile(path string, history int, now func() time.Time) (*logFile, error) {
	l := &logFile{path: path, history: history, now: now, day: now().UTC().Format(dateFormat)}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		l.day = info.ModTime().UTC().Format(dateFormat)
	}
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		l.file, err = openAppending(path)
	}
	return l, err
}

func openAppending(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640) //nolint:gosec // log shippers read it by their group
}

// Write implements io.Writer. When a new file cannot begin the old one goes on:
// a line is worth more than its date.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if today := l.now().UTC().Format(dateFormat); today != l.day {
		err := l.rotate()
		l.day = today
		if err != nil {
			_, _ = fmt.Fprintln(l.file, "logging.file: a new day begins no new file:", err)
		}
	}
	return l.file.Write(line)
}

// rotate moves the file away, begins another, and removes the oldest.
func (l *logFile) rotate() error {
	old := l.path + "." + l.day
	if _, err := os.Lstat(old); err == nil {
		return fmt.Errorf("%s is there already", old)
	}
	if err := os.Rename(l.path, old); err != nil {
		return err
	}
	next, err := openAppending(l.path)
	if err != nil {
		return errors.Join(err, os.Rename(old, l.path))
	}
	_ = l.file.Close() // all its lines are written
	l.file = next
	return l.prune()
}

func (l *logFile) prune() error {
	old, err := filepath.Glob(globbed(l.path) + ".[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]")
	if err != nil {
		return err
	}
	slices.Sort(old)
	for _, path := range old[:max(0, len(old)-l.history)] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// globbed returns the pattern that matches path alone.
func globbed(path string) string {
	var pattern []rune
	for _, r := range path {
		if slices.Contains([]rune(`*?[\`), r) {
			pattern = append(pattern, '\\')
		}
		pattern = append(pattern, r)
	}
	return string(pattern)
}

// Close implements io.Closer.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
