package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// FiledLetters appends letters to a file of the day in a folder, one JSON object a
// line:
//
//	{"time":"…","reason":"…","offset":8,"namespace":"test","digest":"…","lut":1734388704784,"message":"…"}
//
// The message and the digest are in Base64. A letter is safe once the file was
// synced; letters that come at the same time share one sync.
type FiledLetters struct {
	directory string
	now       func() time.Time

	mu      sync.Mutex
	waiting []filing
	wake    chan struct{} // has room for one signal: look again
	closed  bool
	done    chan struct{}

	// of the filing goroutine
	file   *os.File
	opened string // its path
}

type filing struct {
	letter Letter
	to     change.Recipient
}

// FileLetters returns FiledLetters for a folder, which it makes if it is not
// there. Whether one can write there is found out at once.
func FileLetters(directory string) (*FiledLetters, error) {
	f := &FiledLetters{directory: directory, now: time.Now, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

// Bury implements [DeadLetters].
func (f *FiledLetters) Bury(l Letter, to change.Recipient) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, filing{l, to})
	f.signal()
}

// Close files what waits and closes the file. No letter may be buried after it.
func (f *FiledLetters) Close() {
	f.mu.Lock()
	f.closed = true
	f.signal()
	f.mu.Unlock()
	<-f.done
}

func (f *FiledLetters) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *FiledLetters) run() {
	defer close(f.done)
	for range f.wake {
		f.mu.Lock()
		batch, closed := f.waiting, f.closed
		f.waiting = nil
		f.mu.Unlock()
		err := f.store(batch)
		for _, w := range batch {
			w.to.Done(err)
		}
		if closed {
			f.abandon()
			return
		}
	}
}

// store writes letters and syncs. After an error nobody knows what the file ends
// with, so that it is opened anew.
func (f *FiledLetters) store(batch []filing) error {
	if len(batch) == 0 {
		return nil
	}
	if !f.isOpen() {
		f.abandon()
		if err := f.open(); err != nil {
			return err
		}
	}
	var lines []byte
	for _, w := range batch {
		line, err := json.Marshal(w.letter.line(f.now()))
		if err != nil {
			return fmt.Errorf("write dead letter: %w", err)
		}
		lines = append(append(lines, line...), '\n')
	}
	if err := f.append(lines); err != nil {
		f.abandon()
		return fmt.Errorf("write dead letters: %w", err)
	}
	return nil
}

// isOpen reports whether the file of today is open, and still has its name: one
// that was moved or deleted is nobody's to read.
func (f *FiledLetters) isOpen() bool {
	if f.file == nil || f.opened != f.path() {
		return false
	}
	open, err := f.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.opened)
	return err == nil && os.SameFile(open, named)
}

// append writes lines and syncs. What is written in part is cut off again: on a
// full disk it would take up the room for what could be written whole.
func (f *FiledLetters) append(lines []byte) error {
	size, err := f.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = f.file.Write(lines)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		return errors.Join(err, f.file.Truncate(size))
	}
	return nil
}

// path returns that of the day's file.
func (f *FiledLetters) path() string {
	return filepath.Join(f.directory, "dead-letters-"+f.now().UTC().Format(time.DateOnly)+".ndjson")
}

// open opens the file of today. A line that a crash left unfinished gets its end.
func (f *FiledLetters) open() error {
	path := f.path()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	if err := endLine(file); err != nil {
		_ = file.Close() // the error says more
		return fmt.Errorf("dead letters: %s: %w", path, err)
	}
	if err := f.syncDirectory(); err != nil {
		_ = file.Close() // the error says more
		return err
	}
	f.file, f.opened = file, path
	return nil
}

// endLine ends the last line of a file that lacks its end.
func endLine(file *os.File) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, size-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.WriteString("\n")
	return err
}

// syncDirectory makes the name of a new file safe.
func (f *FiledLetters) syncDirectory() error {
	dir, err := os.Open(f.directory)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written to it
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

func (f *FiledLetters) abandon() {
	if f.file != nil {
		_ = f.file.Close() // what counts was synced
		f.file = nil
	}
}

type letterLine struct {
	Time      time.Time `json:"time"`
	Reason    string    `json:"reason"`
	Offset    *int      `json:"offset,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Digest    []byte    `json:"digest,omitempty"`
	LUT       int64     `json:"lut,omitempty"`
	Message   []byte    `json:"message"`
}

func (l Letter) line(now time.Time) letterLine {
	line := letterLine{Time: now.UTC(), Reason: l.Reason, Message: l.Message}
	if l.Offset >= 0 {
		line.Offset = &l.Offset
	}
	if l.Namespace != "" {
		line.Namespace, line.Digest, line.LUT = l.Namespace, l.Digest[:], l.LUT
	}
	return line
}
