package devnode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// A client that claims to send the largest request has the memory of what it sends.
func TestConnection_largeClaim(t *testing.T) {
	for _, sent := range []int{0, 1, 1 << 20} {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			_, _ = far.Write(make([]byte, sent)) // an error is the reader's, too
		}()
		c := &connection{node: &Node{}, conn: near, reader: bufio.NewReader(near)}
		b, err := c.readBody(nil, maxMessage)
		if err == nil || cap(b) > 3*sent+2*firstRead {
			t.Errorf("%d bytes sent: room for %d, %v", sent, cap(b), err)
		}
	}
}

// A request that reads the same bin again and again does not grow without bounds.
func TestConnection_largeAnswer(t *testing.T) {
	n := &Node{config: Config{Namespaces: []string{"test"}}, source: &xdrtest.Source{}}
	n.source.Write(change.Change{Namespace: "test", Bins: []change.Bin{{Name: "b", Value: change.BytesValue(change.KindBlob, make([]byte, 1<<20))}}})
	c := &connection{node: n}
	size := 0
	c.answer.write = func(b []byte) error {
		size += len(b)
		return nil
	}
	body := append([]byte{messageHeader, info1Read}, make([]byte, 20)...)
	body[19], body[20], body[21] = 2, 0x01, 0x00 // 256 ops
	body = append(body, "\x00\x00\x00\x05\x00test\x00\x00\x00\x15\x04"+string(make([]byte, 20))...)
	body = append(body, bytes.Repeat([]byte("\x00\x00\x00\x05\x01\x00\x00\x01b"), 256)...)
	if !c.records(body) || size > 100 {
		t.Errorf("an answer of %d bytes", size)
	}
}

// A client that has sent a large request holds no memory for it while it is idle.
func TestConnection_idleMemory(t *testing.T) {
	const size = 32 << 20
	n, err := Listen("127.0.0.1:0", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	conn, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := heap()
	const header = "\x16\x00\x01\x00" + "\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x02\x00\x01"
	const fields = "\x00\x00\x00\x05\x00test" + "\x00\x00\x00\x15\x04" + "12345678901234567890"
	op := append(binary.BigEndian.AppendUint32(nil, 5+size), "\x02\x04\x00\x01b"...)
	body := len(header) + len(fields) + len(op) + size
	for _, part := range [][]byte{binary.BigEndian.AppendUint64(nil, protoVersion<<56|typeMessage<<48|uint64(body)), []byte(header + fields), op} {
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.CopyN(conn, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, protoHeader+messageHeader)
	if _, err := io.ReadFull(conn, answer); err != nil || Code(answer[protoHeader+5]) != RecordTooBig {
		t.Fatalf("% x, error %v", answer, err)
	}
	for deadline := time.Now().Add(10 * time.Second); heap() > before+size/4; {
		if time.Now().After(deadline) {
			t.Fatalf("an idle client holds %d bytes", heap()-before)
		}
	}
}

// zeros reads as zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A request for very many values is not answered: the answer would be many times as large.
func TestConnection_largeInfo(t *testing.T) {
	for _, tt := range []struct {
		size     int
		answered bool
	}{{maxInfo, true}, {maxInfo + 1, false}} {
		near, far := net.Pipe()
		go func() {
			defer near.Close()
			c := newConnection(&Node{}, near)
			c.serveOne()
		}()
		request := binary.BigEndian.AppendUint64(nil, protoVersion<<56|typeInfo<<48|uint64(tt.size))
		request = append(request, strings.Repeat("b", tt.size)...)
		go func() { _, _ = far.Write(request) }() // it fails where the request is not read
		b, err := io.ReadAll(far)
		if err != nil || len(b) > 0 != tt.answered {
			t.Errorf("a request of %d bytes: an answer of %d bytes, error %v", tt.size, len(b), err)
		}
	}
}
