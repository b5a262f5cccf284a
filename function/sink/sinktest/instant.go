package sinktest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// Instant is a fake of Pub/Sub that responds to each publish request at once and only
// counts messages, so that a benchmark measures the client. Every topic exists.
type Instant struct {
	messages, requests atomic.Int64
}

// InstantPubSub starts an Instant, which stops when the test ends. Google's clients in
// the process find it through an environment variable.
func InstantPubSub(t testing.TB) *Instant {
	t.Helper()
	i := &Instant{}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(counting{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "google.pubsub.v1.Publisher", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Publish", Handler: publish}},
	}, i)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Setenv("PUBSUB_EMULATOR_HOST", l.Addr().String())
	return i
}

// Messages returns how many messages were published.
func (i *Instant) Messages() int64 { return i.messages.Load() }

// Requests returns how many publish requests there were.
func (i *Instant) Requests() int64 { return i.requests.Load() }

func publish(server any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	i, ok := server.(*Instant)
	if !ok {
		return nil, fmt.Errorf("a publish request to %T", server)
	}
	var messages int
	if err := decode(&messages); err != nil {
		return nil, err
	}
	i.messages.Add(int64(messages))
	i.requests.Add(1)
	return messages, nil
}

// counting is a codec that decodes a publish request to the number of its messages, and
// encodes a number as a response with that many IDs.
type counting struct{}

func (counting) Name() string { return "proto" }

// Unmarshal counts the messages, field 2 of the request.
func (counting) Unmarshal(data mem.BufferSlice, v any) error {
	messages, ok := v.(*int)
	if !ok {
		return fmt.Errorf("a publish request for %T", v)
	}
	r := data.Reader()
	defer func() { _ = r.Close() }() // it only reads
	for {
		tag, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(n)); err != nil {
			return err
		}
		if tag == 2<<3|2 {
			*messages++
		}
	}
}

// ids is a response with maxIDs IDs, all the same: field 1, 16 bytes each.
var ids = []byte(strings.Repeat("\x0a\x101234567890123456", maxIDs))

const maxIDs = 1000 // most messages of a request

// Marshal implements encoding.CodecV2.
func (counting) Marshal(v any) (mem.BufferSlice, error) {
	n, ok := v.(int)
	if !ok || n > maxIDs {
		return nil, fmt.Errorf("a response for %v messages", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(ids[:len(ids)/maxIDs*n])}, nil
}
