package devnode

import (
	"bufio"
	"bytes"
	"net"
	"testing"

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
