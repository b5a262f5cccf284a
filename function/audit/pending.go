package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
)

// pending is a file of pairs that are probably findings, in the order of [order]. They are
// confirmed when the archive has had the time to receive what was under way. Each is a line
// of JSON.
type pending struct {
	file *os.File
	out  *bufio.Writer
	size int64 // of what was added
	n    int64 // pairs
	temp bool
}

// openPending returns a file of n pairs that has that size: the rest, which an interrupted
// audit may have written, is cut off. With the path "" it is a temporary file.
func openPending(path string, size, n int64) (*pending, error) {
	p := &pending{size: size, n: n, temp: path == ""}
	var err error
	if p.temp {
		if p.file, err = os.CreateTemp("", "audit-*"); err == nil {
			_ = os.Remove(p.file.Name()) // so that nothing is left of a process that is killed; close tries again
		}
	} else {
		p.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("open the file of suspected findings: %w; set TMPDIR, or -checkpoint, to a directory with space", err)
	}
	info, err := p.file.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("it has %d bytes, and the checkpoint says %d; remove both to begin again", info.Size(), size)
	}
	if err == nil {
		err = p.file.Truncate(size)
	}
	if err == nil {
		_, err = p.file.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("open the file of suspected findings %s: %w", p.file.Name(), errors.Join(err, p.file.Close()))
	}
	p.out = bufio.NewWriter(p.file)
	return p, nil
}

// add appends a pair.
func (p *pending) add(x pair) error {
	line, err := json.Marshal(x)
	if err == nil {
		line = append(line, '\n')
		_, err = p.out.Write(line)
	}
	if err != nil {
		return fmt.Errorf("write the suspected findings to %s: %w", p.file.Name(), err)
	}
	p.size += int64(len(line))
	p.n++
	return nil
}

// flush writes what was added to the file, and to the disk.
func (p *pending) flush() error {
	if err := errors.Join(p.out.Flush(), p.file.Sync()); err != nil {
		return fmt.Errorf("write the suspected findings to %s: %w", p.file.Name(), err)
	}
	return nil
}

// all yields the pairs. An error ends the sequence.
func (p *pending) all() iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		if err := p.out.Flush(); err != nil {
			yield(pair{}, fmt.Errorf("write the suspected findings to %s: %w", p.file.Name(), err))
			return
		}
		in := json.NewDecoder(bufio.NewReader(io.NewSectionReader(p.file, 0, p.size)))
		for range p.n {
			var x pair
			if err := in.Decode(&x); err != nil {
				yield(pair{}, fmt.Errorf("read the suspected findings in %s: %w", p.file.Name(), err))
				return
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

// close closes the file, and removes it if it is a temporary one or remove says so.
func (p *pending) close(remove bool) error {
	err := p.file.Close()
	if !remove && !p.temp {
		return err
	}
	if removed := os.Remove(p.file.Name()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
