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

// logFile is a log that starts a new file each day, in UTC. The files of earlier days
// have the date appended to their names.
type logFile struct {
	path    string
	history int // how many files of earlier days to keep
	now     func() time.Time

	mu   sync.Mutex
	file *os.File
	day  string // the day of file
}

const dateFormat = "2006-01-02"

// openLogFile opens the log at path, and creates its folder if necessary. If the file
// is from an earlier day, the first line written starts a new one.
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
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640) //nolint:gosec // log shippers in the same group read it
}

// Write implements io.Writer. If a new file cannot be started it appends to the old
// one, so that no line is lost.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if today := l.now().UTC().Format(dateFormat); today != l.day {
		err := l.rotate()
		l.day = today
		if err != nil {
			_, _ = fmt.Fprintln(l.file, "logging.file: cannot start a new file for the day:", err)
		}
	}
	return l.file.Write(line)
}

// rotate renames the file, starts another, and removes the oldest.
func (l *logFile) rotate() error {
	old := l.path + "." + l.day
	if _, err := os.Lstat(old); err == nil {
		return fmt.Errorf("%s already exists", old)
	}
	if err := os.Rename(l.path, old); err != nil {
		return err
	}
	next, err := openAppending(l.path)
	if err != nil {
		return errors.Join(err, os.Rename(old, l.path))
	}
	_ = l.file.Close() // all its lines were written
	l.file = next
	return l.prune()
}

// prune removes the oldest files, until history of them are left.
func (l *logFile) prune() error {
	old, err := filepath.Glob(escapeGlob(l.path) + ".[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]")
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

// escapeGlob returns the pattern that matches only path.
func escapeGlob(path string) string {
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
