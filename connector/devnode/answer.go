package devnode

import (
	"encoding/binary"
	"math"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// answer builds the messages of an answer, and writes them when there are many.
type answer struct {
	buf   []byte
	frame int // where the frame that is being built begins in buf; valid if open
	open  bool
	at    int // where the last message begins in buf
	write func([]byte) error
	err   error // of write; nothing more is written
}

const (
	// frameSize is the size from which a frame of several messages is closed, in bytes.
	frameSize = 128 << 10

	// flushSize is the size from which closed frames are written, in bytes.
	flushSize = 256 << 10
)

// message is the header of a message in an answer.
type message struct {
	code       Code
	info1      byte
	info3      byte
	generation uint32
	voidTime   uint32 // seconds since 2010; 0 never
	index      uint32 // the row of a batch
}

// begin opens a frame if none is open.
func (a *answer) begin() {
	if !a.open {
		a.open, a.frame = true, len(a.buf)
		a.buf = append(a.buf, make([]byte, protoHeader)...)
	}
}

// end closes the frame, whose messages are of a type.
func (a *answer) end(kind byte) {
	a.open = false
	size := len(a.buf) - a.frame - protoHeader
	binary.BigEndian.PutUint64(a.buf[a.frame:], protoVersion<<56|uint64(kind)<<48|uint64(size))
}

// message adds a message without fields and ops to the frame. A frame that has become large
// is sent before.
func (a *answer) message(m message) {
	if a.open && len(a.buf)-a.frame > frameSize {
		a.end(typeMessage)
		if len(a.buf) > flushSize {
			a.send()
		}
	}
	a.begin()
	a.at = len(a.buf)
	a.buf = append(a.buf, make([]byte, messageHeader)...)
	a.set(m)
}

// set sets the header of the message again. Its fields and ops stay if the code is OK.
func (a *answer) set(m message) {
	if m.code != OK {
		a.buf = append(a.buf[:a.at], make([]byte, messageHeader)...)
	}
	h := a.buf[a.at:]
	h[0], h[1], h[3], h[5] = messageHeader, m.info1, m.info3, byte(m.code)
	binary.BigEndian.PutUint32(h[6:], m.generation)
	binary.BigEndian.PutUint32(h[10:], m.voidTime)
	binary.BigEndian.PutUint32(h[14:], m.index)
}

// last adds the message that ends an answer of several messages. It has a frame of its own:
// then clients take its code for that of the request.
func (a *answer) last(code Code) {
	if a.open {
		a.end(typeMessage)
	}
	a.message(message{code: code, info3: info3Last})
}

// count adds to the number of fields or ops of the message.
func (a *answer) count(at int) {
	n := a.buf[a.at+at:]
	binary.BigEndian.PutUint16(n, binary.BigEndian.Uint16(n)+1)
}

// field adds a field to the message.
func (a *answer) field(id byte, data []byte) {
	const fields = 18
	a.count(fields)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(data)+1))
	a.buf = append(append(a.buf, id), data...)
}

// textField is field for a string.
func (a *answer) textField(id byte, text string) {
	a.field(id, nil)
	a.buf = append(a.buf, text...)
	binary.BigEndian.PutUint32(a.buf[len(a.buf)-len(text)-5:], uint32(len(text)+1))
}

// keyField adds a field with the user key to the message.
func (a *answer) keyField(key change.Value) {
	start := len(a.buf)
	a.field(fieldKey, []byte{byte(key.Kind())})
	a.buf = xdr.AppendParticle(a.buf, key)
	binary.BigEndian.PutUint32(a.buf[start:], uint32(len(a.buf)-start-4))
}

// bin adds the result of an operation on a bin to the message. A nil value has no bytes.
func (a *answer) bin(op byte, name string, v change.Value) {
	const ops = 20
	a.count(ops)
	start := len(a.buf)
	a.buf = append(a.buf, 0, 0, 0, 0, op, byte(v.Kind()), 0, byte(len(name)))
	a.buf = append(a.buf, name...)
	a.buf = xdr.AppendParticle(a.buf, v)
	binary.BigEndian.PutUint32(a.buf[start:], uint32(len(a.buf)-start-4))
}

// reset drops the messages that are not sent.
func (a *answer) reset() { a.buf, a.open = a.buf[:0], false }

// info adds the answer to an info request.
func (a *answer) info(text string) {
	a.begin()
	a.buf = append(a.buf, text...)
	a.end(typeInfo)
}

// security adds the answer to a security request: a header of 16 bytes, with the code in the
// second.
func (a *answer) security(code Code) {
	a.begin()
	a.buf = append(a.buf, make([]byte, 16)...)
	a.buf[a.frame+protoHeader+1] = byte(code)
	a.end(typeSecurity)
}

// flush closes the frame and writes everything.
func (a *answer) flush() error {
	if a.open {
		a.end(typeMessage)
	}
	a.send()
	return a.err
}

func (a *answer) send() {
	if a.err == nil && len(a.buf) > 0 {
		a.err = a.write(a.buf)
	}
	a.buf = a.buf[:0]
}

// epoch is 2010-01-01T00:00:00Z in Unix seconds, where void times begin (aerospike-common,
// cf_clock.h).
const epoch = 1262304000

// voidTime returns an expiry in Unix seconds as a void time.
func voidTime(expiry int64) uint32 {
	if expiry == 0 {
		return 0
	}
	return uint32(min(max(expiry-epoch, 1), math.MaxUint32))
}
