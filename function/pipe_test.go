package function_test

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
)

// pipes is a net.Listener of in-memory connections, for servers in a synctest bubble.
type pipes struct {
	accepted chan net.Conn
	closed   context.Context
	end      context.CancelFunc
}

func listen() *pipes {
	closed, end := context.WithCancel(context.Background())
	return &pipes{make(chan net.Conn), closed, sync.OnceFunc(end)}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.end(); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial returns the client's end of a new connection, once the other end was accepted.
func (p *pipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepted <- server:
		return client, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// dialPeer is like dial, for a client that writes raw bytes. It must be called in the bubble.
func (p *pipes) dialPeer(t *testing.T) *peer {
	t.Helper()
	conn, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t, conn, bufio.NewReader(conn)}
}
