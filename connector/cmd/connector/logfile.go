package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// logFile is a log that starts a new file each day, in UTC. The files of earlier days
// have the date appended to their names. If the file is moved or removed, the next line
// goes to a new one. Only a regular file is renamed: a device, a pipe or a symbolic link,
// such as /dev/stdout, stays as it is.
type logFile struct {
	path    string
	history int // how many files of earlier days to keep
	now     func() time.Time

	mu     sync.Mutex
	file   *os.File
	day    string // the day of file
	failed bool   // the last attempt to open the file again failed, and the log says so
}

const dateFormat = "2006-01-02"

// openLogFile opens the log at path, and creates its folder if necessary. If the file
// is from an earlier day, the first line written starts a new one.
func openLogFile(path string, history int, now func() time.Time) (*logFile, error) {
	l := &logFile{path: path, history: history, now: now}
	return l, l.open()
}

// open opens the file at the path, and closes the one before. After an error that stays
// open.
func (l *logFile) open() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o750); err != nil {
		return err
	}
	file, err := openAppending(l.path)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close() // all its lines were written
	}
	l.file, l.day = file, l.today()
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		l.day = info.ModTime().UTC().Format(dateFormat)
	}
	return nil
}

func openAppending(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640) //nolint:gosec // log shippers in the same group read it
}

func (l *logFile) today() string { return l.now().UTC().Format(dateFormat) }

// Reopen opens the path again, so that a file that was moved can be compressed.
func (l *logFile) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open()
}

// Write implements io.Writer. If a new file cannot be started it appends to the old
// one, so that no line is lost.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isNamed() {
		err := l.open()
		if err != nil && !l.failed {
			l.note("cannot open the file again", err)
		}
		l.failed = err != nil
	}
	if today := l.today(); today != l.day {
		if err := l.rotate(); err != nil {
			l.note("cannot start a new file for the day", err)
		}
		l.day = today
	}
	return l.file.Write(line)
}

// note writes an error to the log itself.
func (l *logFile) note(what string, err error) {
	_, _ = fmt.Fprintf(l.file, "logging.file: %s: %v\n", what, err)
}

// isNamed reports whether the path still names the open file.
func (l *logFile) isNamed() bool {
	named, err := os.Stat(l.path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	open, err := l.file.Stat()
	return err == nil && os.SameFile(open, named)
}

// rotate renames a regular file, starts another, and removes the oldest.
func (l *logFile) rotate() error {
	if info, err := os.Lstat(l.path); err != nil || !info.Mode().IsRegular() {
		return err
	}
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
