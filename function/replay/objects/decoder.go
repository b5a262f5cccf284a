package objects

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/function/sink/row"
)

// ChunkChanges bounds a chunk: the changes of a file with rows, or the lines. A line may be a
// dead letter with several changes.
const ChunkChanges = 1000

// ChunkBytes bounds a chunk, in bytes. The last line may exceed it.
const ChunkBytes = 8 << 20

// maxLine bounds a line, in bytes. A dead letter may hold the body of a request in Base64.
const maxLine = 128 << 20

// Entry is a change, or why there is none, and where it is in the object.
type Entry struct {
	Parsed   format.Parsed
	Line     int       // or row; from 1. A dead letter may have several changes in one line
	Received time.Time // of a dead letter; else zero
}

// line is a line that is not blank.
type line struct {
	number int // from 1
	text   []byte
}

// Want says what a [Decoder] reads of each change.
type Want uint8

const (
	WantData     Want = iota // everything, and the bytes of the change in a text format or as they came
	WantBins                 // everything; a change of a file with rows has no Data
	WantMetadata             // no bins; a change of a file with rows has neither Data nor user key
)

// Decoder decodes objects.
type Decoder struct {
	// Parser reads the JSON of archives and the messages of dead letters. With WantData its
	// Bins say whether the bins of JSON are read.
	Parser formats.Parser

	Want Want
}

// Chunks yields the content of an object in chunks. The same content always has the same
// changes, and with the same Want the same chunks. An error ends the sequence; it is
// permanent if the object is damaged.
func (d *Decoder) Chunks(file *os.File, name string) iter.Seq2[[]Entry, error] {
	switch kindOf(name) {
	case kindAvro:
		read := row.ReadAvro
		if d.Want == WantMetadata {
			read = row.ReadAvroMetadata
		}
		return d.rowChunks(read(bufio.NewReaderSize(file, 1<<20)))
	case kindParquet:
		read := row.ReadParquet
		if d.Want == WantMetadata {
			read = row.ReadParquetMetadata
		}
		return func(yield func([]Entry, error) bool) {
			info, err := file.Stat()
			if err != nil {
				yield(nil, err)
				return
			}
			d.rowChunks(read(file, info.Size()))(yield)
		}
	}
	return func(yield func([]Entry, error) bool) {
		text, release, err := decompress(file, name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer release()
		d.lineChunks(text, yield)
	}
}

// rowChunks splits rows into chunks. If its bytes are wanted, a change gets them in JSON, or
// in MessagePack if JSON cannot express it. XDR is not used because it has the expiry in
// seconds from now, so the bytes would differ each time.
func (d *Decoder) rowChunks(changes iter.Seq2[change.Change, error]) iter.Seq2[[]Entry, error] {
	return func(yield func([]Entry, error) bool) {
		var chunk []Entry
		line, size := 0, 0
		for c, err := range changes {
			if err != nil {
				_ = len(chunk) > 0 && !yield(chunk, nil) || yield(nil, err)
				return
			}
			line++
			e := Entry{Line: line, Parsed: format.Parsed{Change: c}}
			switch d.Want {
			case WantData:
				e.Parsed.Data, e.Parsed.Format, e.Parsed.Err = encode(&c)
				size += len(e.Parsed.Data)
			case WantBins:
				size += BinBytes(&c)
			case WantMetadata:
			}
			chunk = append(chunk, e)
			if len(chunk) == ChunkChanges || size >= ChunkBytes {
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

// BinBytes returns how many bytes the names and values of the bins take.
func BinBytes(c *change.Change) int {
	const number = 8
	n := 0
	for i := range c.Bins {
		n += len(c.Bins[i].Name) + max(len(c.Bins[i].Value.Bytes()), number)
	}
	return n
}

// encode returns the bytes of c and the name of their format.
func encode(c *change.Change) ([]byte, string, error) {
	j := json.Format{StringifyMapKeys: true}
	if line, err := j.Append(nil, c); err == nil {
		return bytes.TrimSuffix(line, []byte{'\n'}), j.Name(), nil
	}
	message, err := msgpack.Format{}.Append(nil, c)
	return message, msgpack.Name, err
}

// lineChunks splits lines into chunks.
func (d *Decoder) lineChunks(text io.Reader, yield func([]Entry, error) bool) {
	buffered := bufio.NewReaderSize(text, 1<<16)
	number := 0
	for {
		lines, size := []line(nil), 0
		var err error
		for len(lines) < ChunkChanges && size < ChunkBytes && err == nil {
			var l []byte
			if l, err = readLine(buffered); err == nil {
				number++
				if l = bytes.TrimSpace(l); len(l) > 0 {
					lines, size = append(lines, line{number, l}), size+len(l)
				}
			}
		}
		if len(lines) > 0 && !yield(d.parse(lines), nil) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(nil, fmt.Errorf("after line %d: %w", number, err))
			return
		}
	}
}

// parse parses lines. Each is a change in JSON or flat JSON, or a dead letter.
func (d *Decoder) parse(lines []line) []Entry {
	entries := make([]Entry, 0, len(lines))
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && !d.isDeadLetter(lines[n].text) {
			n++
		}
		entries = d.changes(entries, lines[:n])
		if lines = lines[n:]; len(lines) > 0 {
			entries = d.deadLetter(entries, lines[0])
			lines = lines[1:]
		}
	}
	return entries
}

// changes parses lines of changes: as one body or, if that fails, one by one.
func (d *Decoder) changes(entries []Entry, lines []line) []Entry {
	var body []byte
	for _, l := range lines {
		body = append(append(body, l.text...), '\n')
	}
	parsed, err := d.parserAt(time.Time{}).Parse(format.MediaNDJSON, body)
	if err == nil && len(parsed) == len(lines) {
		for i, p := range parsed {
			entries = append(entries, Entry{Parsed: p, Line: lines[i].number})
		}
		return entries
	}
	if len(lines) == 1 {
		return append(entries, Entry{Parsed: format.Parsed{Data: lines[0].text, Err: err}, Line: lines[0].number})
	}
	for i := range lines {
		entries = d.changes(entries, lines[i:i+1])
	}
	return entries
}

// parserAt returns the parser for data that was received at that time; zero means now.
func (d *Decoder) parserAt(received time.Time) formats.Parser {
	p := d.Parser
	switch d.Want {
	case WantBins:
		p.Bins = true
	case WantMetadata:
		p.Bins = false
	case WantData:
	}
	p.Limits = format.Limits{Inflated: maxLine, Depth: change.MaxDepth} // accept whatever was accepted before
	if !received.IsZero() {
		p.Now = func() time.Time { return received }
	}
	return p
}

// isDeadLetter reports whether the line is a dead letter: it has the members of one, and
// neither the metadata of flat JSON nor the key of JSON.
func (d *Decoder) isDeadLetter(text []byte) bool {
	if !bytes.HasPrefix(text, []byte(`{"time":"`)) {
		return false
	}
	var members map[string]stdjson.RawMessage
	if stdjson.Unmarshal(text, &members) != nil {
		return false
	}
	_, message := members["message"]
	_, reason := members["reason"]
	metadata, key := members[d.Parser.MetadataKey], members["key"]
	return message && reason && !bytes.HasPrefix(metadata, []byte{'{'}) && !bytes.HasPrefix(key, []byte{'['})
}

// deadLetter parses the message of a dead letter, which may be the body of a request.
func (d *Decoder) deadLetter(entries []Entry, l line) []Entry {
	letter, err := deadletter.ParseLine(l.text)
	var parsed []format.Parsed
	if err == nil {
		parsed, err = d.message(&letter)
	}
	if err != nil {
		parsed = []format.Parsed{{Data: letter.Message, Err: err, Change: named(&letter)}}
	}
	for _, p := range parsed {
		entries = append(entries, Entry{Parsed: p, Line: l.number, Received: letter.Time})
	}
	return entries
}

// message parses the message of a dead letter. The error wraps ErrNoBytes if it has none.
func (d *Decoder) message(l *deadletter.Letter) ([]format.Parsed, error) {
	if l.Size > 0 && len(l.Message) == 0 {
		return nil, withoutBytes(l)
	}
	mediaType := cmp.Or(l.MediaType, format.MediaOctets)
	parsed, err := d.parserAt(l.Time).Parse(mediaType, l.Message)
	if err == nil && len(parsed) == 0 {
		err = errors.New("the dead letter has no change")
	}
	return parsed, err
}

// ErrNoBytes is wrapped by the error of a dead letter whose message was too large to be kept.
var ErrNoBytes = errors.New("dead letter without bytes")

// withoutBytes returns the error of such a dead letter. It names the record, so that somebody
// can look after it.
func withoutBytes(l *deadletter.Letter) error {
	return fmt.Errorf("%w: a message of %d bytes was too large for the connector; write the record again once service.max-message-bytes allows it: namespace %q, set %q, digest %s",
		ErrNoBytes, l.Size, l.Namespace, l.Set, base64.StdEncoding.EncodeToString(l.Digest))
}

// named returns a change with what a dead letter says of it, for filters.
func named(l *deadletter.Letter) change.Change {
	return change.Change{Namespace: l.Namespace, Set: l.Set, LUT: l.LUT}
}

// readLine returns the next line. The caller owns its bytes. The last line may lack its
// line feed.
func readLine(text *bufio.Reader) (l []byte, err error) {
	for {
		part, err := text.ReadSlice('\n')
		l = append(l, part...)
		switch {
		case len(l) > maxLine:
			return nil, damaged(fmt.Errorf("line longer than %d bytes", maxLine))
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l) > 0:
			return l, nil
		default:
			return l, err
		}
	}
}
