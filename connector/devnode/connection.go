package devnode

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// The header in front of each message: version, type, and the length of the rest in 48 bits
// (proto.h, as_proto).
const (
	protoHeader  = 8
	protoVersion = 2

	typeInfo       = 1
	typeSecurity   = 2
	typeMessage    = 3
	typeCompressed = 4
)

const (
	// maxMessage bounds a message, in bytes (proto.h, PROTO_SIZE_MAX).
	maxMessage = 128 << 20

	// maxInfo bounds an info request, in bytes. Some values are thousands of bytes long, and
	// a request may ask for them again and again.
	maxInfo = 64 << 10

	// keptBuffer is the size up to which a buffer is used again, in bytes.
	keptBuffer = 1 << 20

	// firstRead is how much memory a request has before its bytes have come.
	firstRead = 64 << 10

	// stalled is how long a client may take from one part of a request to the next, and to
	// read a part of an answer. Between requests it may be idle as long as it wants.
	stalled = 30 * time.Second
)

// connection is a connection of a client. It carries out one request after the other.
type connection struct {
	node   *Node
	conn   net.Conn
	reader *bufio.Reader
	names  names

	request    request // the current request, or the current row of a batch
	filter     filter
	filterCode Code // of compiling the filter
	repacker   repacker
	answer     answer
}

func newConnection(n *Node, conn net.Conn) *connection {
	return &connection{node: n, conn: conn, reader: bufio.NewReader(conn)}
}

// serve serves requests until the connection ends, or something else than a request comes.
func (c *connection) serve() {
	for c.serveOne() {
	}
}

// serveOne serves one request. It returns false if the connection is to be closed.
func (c *connection) serveOne() bool {
	header, err := c.reader.Peek(protoHeader)
	if err != nil {
		return false
	}
	version, kind := header[0], header[1]
	size := binary.BigEndian.Uint64(header) & (1<<48 - 1)
	if version != protoVersion || size > maxMessage || kind == typeInfo && size > maxInfo {
		return false
	}
	if _, err := c.reader.Discard(protoHeader); err != nil {
		return false
	}
	in, out := c.buffer(), c.buffer()
	defer c.free(in)
	defer c.free(out)
	if *in, err = c.readBody((*in)[:0], int(size)); err != nil {
		return false
	}
	c.answer = answer{buf: (*out)[:0], write: c.send}
	defer func() {
		*out = c.answer.buf
		c.forget()
	}()
	switch kind {
	case typeInfo:
		return c.info(*in)
	case typeSecurity:
		c.answer.security(NotAuthenticated)
		return c.answer.flush() == nil
	case typeMessage:
		return c.records(*in)
	case typeCompressed:
		c.answer.message(message{code: EnterpriseOnly})
		return c.answer.flush() == nil
	}
	return false
}

// buffer returns a buffer, which may be one of a request before.
func (c *connection) buffer() *[]byte {
	if b, ok := c.node.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// free gives a buffer back for the next request of any connection.
func (c *connection) free(b *[]byte) {
	if cap(*b) <= keptBuffer {
		c.node.buffers.Put(b)
	}
}

// forget lets go of the memory of the request and its answer, which may be large, while the
// client is idle. What is small stays for the next request.
func (c *connection) forget() {
	c.request = request{ops: reusable(c.request.ops)}
	c.filter = filter{nodes: reusable(c.filter.nodes), names: reusable(c.filter.names)}
	c.repacker = repacker{out: reusable(c.repacker.out), pairs: reusable(c.repacker.pairs), moved: reusable(c.repacker.moved)}
	c.answer = answer{}
}

// reusable returns s without elements, and without memory if it had many.
func reusable[T any](s []T) []T {
	const most = 1 << 10
	if cap(s) > most {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

// readBody appends the size bytes of a request to b. It has no more memory than twice what
// the client has sent, and some to begin with.
func (c *connection) readBody(b []byte, size int) ([]byte, error) {
	for len(b) < size {
		had := len(b)
		b = slices.Grow(b, min(size-had, max(had, firstRead)))
		b = b[:min(size, cap(b))]
		if c.reader.Buffered() < len(b)-had {
			if err := c.conn.SetReadDeadline(time.Now().Add(stalled)); err != nil {
				return b, err
			}
		}
		if _, err := io.ReadFull(c.reader, b[had:]); err != nil {
			return b, err
		}
	}
	return b, c.conn.SetReadDeadline(time.Time{})
}

// send writes a part of an answer.
func (c *connection) send(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	return err
}

// fault asks the configuration for a fault. It returns false if the connection is to be
// closed at once.
func (c *connection) fault(describe func() Command) (f Fault, ok bool) {
	if c.node.config.Fault == nil {
		return Fault{}, true
	}
	f = c.node.config.Fault(describe())
	if f.DropAfter {
		c.answer.write = func([]byte) error { return nil }
	}
	return f, !f.DropBefore
}

// info answers an info request: names, each on a line.
func (c *connection) info(body []byte) bool {
	names := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	f, ok := c.fault(func() Command { return Command{Kind: Info, Names: names} })
	if !ok {
		return false
	}
	c.answer.info(c.node.info(names, c.conn.LocalAddr().String()))
	return c.answer.flush() == nil && !f.DropAfter
}

// records answers a request for records.
func (c *connection) records(body []byte) bool {
	r := &c.request
	if code := r.parse(body); code != OK {
		c.fail(code)
		return c.answer.flush() == nil
	}
	f, ok := c.fault(r.describe)
	if !ok {
		return false
	}
	switch code := c.check(f); {
	case code != OK:
		c.fail(code)
	case r.isBatch():
		c.batch(f.Rows)
	case r.isScan():
		c.scan()
	default:
		c.record(0)
	}
	return c.answer.flush() == nil && !f.DropAfter
}

// check returns the code of a request that is not carried out.
func (c *connection) check(f Fault) Code {
	r := &c.request
	switch {
	case f.Code != OK:
		return f.Code
	case r.isBatch():
		return OK
	case !c.node.hasNamespace(r.namespace):
		return NoNamespace
	case r.isScan():
		return r.checkScan()
	}
	return r.check()
}

// fail answers a request that is not carried out.
func (c *connection) fail(code Code) {
	if c.request.isBatch() {
		c.answer.last(code)
		return
	}
	c.answer.message(message{code: code})
}

// names keeps the strings of names that come again and again.
type names map[string]string

// maxNames is how many strings are kept.
const maxNames = 4096

func (n *names) of(b []byte) string {
	if s, ok := (*n)[string(b)]; ok {
		return s
	}
	if *n == nil || len(*n) >= maxNames {
		*n = names{}
	}
	s := string(b)
	(*n)[s] = s
	return s
}
