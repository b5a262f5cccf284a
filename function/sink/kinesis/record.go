package kinesis

import (
	"encoding/base64"
	"errors"
	"io"
)

// record is a record as it stands in a call.
type record struct {
	json    []byte // of the object, with a comma before it
	changes int    // in it
}

// Parts of the JSON of a record.
const (
	beforeData = `,{"Data":"`
	beforeKey  = `","PartitionKey":"`
	afterKey   = `"}`
)

// recordSize returns the size of the JSON of a record.
func recordSize(data, key []byte) int {
	return len(beforeData) + base64.StdEncoding.EncodedLen(len(data)) + len(beforeKey) + len(key) + len(afterKey)
}

// appendRecord appends the JSON of a record. The key has no characters that JSON escapes.
func appendRecord(dst, data, key []byte) []byte {
	dst = append(dst, beforeData...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	dst = append(dst, beforeKey...)
	dst = append(dst, key...)
	return append(dst, afterKey...)
}

// body is the body of a call. It reads the memory of the records, without a copy.
type body struct {
	parts [][]byte
	size  int // of all parts
	part  int // that is read next
	at    int // in that part
	left  int
}

// newBody returns the body of a PutRecords of records to a stream.
func newBody(arn string, records []record) *body {
	b := &body{parts: make([][]byte, 0, len(records)+2)}
	b.add([]byte(`{"StreamARN":"` + arn + `","Records":[`))
	for i := range records {
		text := records[i].json
		if i == 0 {
			text = text[1:] // without the comma
		}
		b.add(text)
	}
	b.add([]byte(`]}`))
	b.left = b.size
	return b
}

func (b *body) add(part []byte) {
	b.parts = append(b.parts, part)
	b.size += len(part)
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (n int, err error) {
	for n < len(p) && b.part < len(b.parts) {
		c := copy(p[n:], b.parts[b.part][b.at:])
		n += c
		if b.at += c; b.at == len(b.parts[b.part]) {
			b.part, b.at = b.part+1, 0
		}
	}
	b.left -= n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

var errSeek = errors.New("the body of a call can be read from its beginning only")

// Seek implements [io.Seeker], as far as the SDK needs it: it asks for the position, and
// starts again after it has hashed the body.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekCurrent && offset == 0:
		return int64(b.size - b.left), nil
	case whence == io.SeekStart && offset == 0:
		b.part, b.at, b.left = 0, 0, b.size
		return 0, nil
	}
	return 0, errSeek
}

// Len returns the number of bytes that are left.
func (b *body) Len() int { return b.left }
