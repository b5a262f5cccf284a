package deadletter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// File appends dead letters to a file in a directory, one line each, with a new file each
// day. A dead letter is stored once the file has been synced; dead letters that arrive
// together share one sync. The methods may be called by several goroutines at once.
type File struct {
	directory string
	now       func() time.Time

	mu     sync.Mutex
	queue  []queued
	wake   chan struct{} // of capacity 1: tells run to look at the queue
	closed bool
	done   chan struct{}

	// Used only by run.
	file *os.File
	path string // of file
}

// queued is a dead letter to be written.
type queued struct {
	letter Letter
	to     change.Recipient
}

// OpenFile returns a File for a directory, which it creates if it does not exist. It fails
// if it cannot write there.
func OpenFile(directory string) (*File, error) {
	f := &File{directory: directory, now: time.Now, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

// Store queues l and returns. It calls to.Done once l is synced, or with the error of
// writing it. It ignores the deadline.
func (f *File) Store(l Letter, _ time.Time, to change.Recipient) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, queued{l, to})
	f.signal()
}

// Where returns the path of today's file.
func (f *File) Where() string { return f.pathToday() }

// Close writes what is queued and closes the file. Store must not be called after it.
func (f *File) Close() {
	f.mu.Lock()
	f.closed = true
	f.signal()
	f.mu.Unlock()
	<-f.done
}

func (f *File) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run writes the queue until the File is closed.
func (f *File) run() {
	defer close(f.done)
	for range f.wake {
		f.mu.Lock()
		batch, closed := f.queue, f.closed
		f.queue = nil
		f.mu.Unlock()
		err := f.write(batch)
		for _, q := range batch {
			q.to.Done(err)
		}
		if closed {
			f.closeFile()
			return
		}
	}
}

// write writes dead letters and syncs. After an error the end of the file is unknown, so the
// next write opens it again.
func (f *File) write(batch []queued) error {
	if len(batch) == 0 {
		return nil
	}
	if !f.isOpen() {
		f.closeFile()
		if err := f.open(); err != nil {
			return err
		}
	}
	var lines []byte
	for _, q := range batch {
		q.letter.Time = f.now()
		lines = q.letter.AppendLine(lines)
	}
	if err := f.append(lines); err != nil {
		f.closeFile()
		return fmt.Errorf("write dead letters: %w", err)
	}
	return nil
}

// isOpen reports whether today's file is open and still has its name. Dead letters in a file
// that was moved or deleted might never be read.
func (f *File) isOpen() bool {
	if f.file == nil || f.path != f.pathToday() {
		return false
	}
	open, err := f.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.path)
	return err == nil && os.SameFile(open, named)
}

// append writes lines and syncs. It truncates a partial write, which on a full disk would
// take the space of lines that could be written completely.
func (f *File) append(lines []byte) error {
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

// pathToday returns the path of today's file.
func (f *File) pathToday() string {
	return filepath.Join(f.directory, "dead-letters-"+f.now().UTC().Format(time.DateOnly)+".ndjson")
}

// open opens today's file. It adds a newline to a line that a crash has left unfinished.
func (f *File) open() error {
	path := f.pathToday()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	if err := endLine(file); err != nil {
		_ = file.Close() // the first error says more
		return fmt.Errorf("dead letters: %s: %w", path, err)
	}
	if err := f.syncDirectory(); err != nil {
		_ = file.Close() // the first error says more
		return err
	}
	f.file, f.path = file, path
	return nil
}

// endLine adds a newline to a file that is not empty and does not end with one.
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

// syncDirectory makes a new file's name durable.
func (f *File) syncDirectory() error {
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

// closeFile closes the file, if it is open.
func (f *File) closeFile() {
	if f.file != nil {
		_ = f.file.Close() // everything was synced
		f.file = nil
	}
}
