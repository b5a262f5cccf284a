package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/function/sink/row"
)

// What a chunk holds: this many changes or lines, and bytes, of which the last line may
// make more.
const (
	chunkChanges = 1000
	chunkBytes   = 8 << 20
)

// maxLine bounds a line, in bytes. That of a dead letter holds the body of a request in
// Base64.
const maxLine = 128 << 20

// item is a change, or what is none, and where it stands.
type item struct {
	parsed   format.Parsed
	line     int       // of the file, or row; from 1
	received time.Time // of a letter; zero of others
}

// chunks yields the content of an object in chunks, which follow from the content
// alone. An error ends it; a permanent one says that the object is damaged.
func (r *run) chunks(file *os.File, o object) iter.Seq2[[]item, error] {
	switch kindOf(o.name) {
	case kindAvro:
		return rowChunks(row.ReadAvro(bufio.NewReaderSize(file, 1<<20)))
	case kindParquet:
		return func(yield func([]item, error) bool) {
			info, err := file.Stat()
			if err != nil {
				yield(nil, err)
				return
			}
			rowChunks(row.ReadParquet(file, info.Size()))(yield)
		}
	}
	return func(yield func([]item, error) bool) {
		text, release, err := inflated(file, o.name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer release()
		r.lineChunks(text, yield)
	}
}

// rowChunks makes chunks of rows. Each gets the bytes that an archive of lines would
// have, or those of MessagePack where JSON has no form for it. XDR would say the expiry in
// seconds from now, and an archive would have other bytes each time.
func rowChunks(changes iter.Seq2[change.Change, error]) iter.Seq2[[]item, error] {
	return func(yield func([]item, error) bool) {
		var chunk []item
		line, size := 0, 0
		for c, err := range changes {
			if err != nil {
				_ = len(chunk) > 0 && !yield(chunk, nil) || yield(nil, err)
				return
			}
			line++
			i := item{line: line, parsed: format.Parsed{Change: c}}
			i.parsed.Data, i.parsed.Format, i.parsed.Err = bytesOf(&c)
			chunk, size = append(chunk, i), size+len(i.parsed.Data)
			if len(chunk) == chunkChanges || size >= chunkBytes {
				if !yield(chunk, nil) {
					return
				}
				chunk, size = nil, 0
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}

func bytesOf(c *change.Change) ([]byte, string, error) {
	j := json.Format{StringifyMapKeys: true}
	if line, err := j.Append(nil, c); err == nil {
		return bytes.TrimSuffix(line, []byte{'\n'}), j.Name(), nil
	}
	message, err := msgpack.Format{}.Append(nil, c)
	return message, msgpack.Name, err
}

// lineChunks makes chunks of lines.
func (r *run) lineChunks(text io.Reader, yield func([]item, error) bool) {
	buffered := bufio.NewReaderSize(text, 1<<16)
	number := 0
	for {
		lines, size := []line(nil), 0
		var err error
		for len(lines) < chunkChanges && size < chunkBytes && err == nil {
			var l []byte
			if l, err = readLine(buffered); err == nil {
				number++
				if l = bytes.TrimSpace(l); len(l) > 0 {
					lines, size = append(lines, line{number, l}), size+len(l)
				}
			}
		}
		if len(lines) > 0 && !yield(r.parse(lines), nil) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(nil, fmt.Errorf("after line %d: %w", number, err))
			return
		}
	}
}

// readLine returns the next line, which owns its bytes. The last may lack its end.
func readLine(text *bufio.Reader) (l []byte, err error) {
	for {
		part, err := text.ReadSlice('\n')
		l = append(l, part...)
		switch {
		case len(l) > maxLine:
			return nil, damaged(fmt.Errorf("a line of more than %d bytes", maxLine))
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l) > 0:
			return l, nil
		default:
			return l, err
		}
	}
}
