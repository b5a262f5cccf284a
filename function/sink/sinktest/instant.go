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

// Instant is a Pub/Sub that answers each publish request at once and keeps nothing
// but the count, so that a benchmark measures its client. It has every topic.
type Instant struct {
	messages, requests atomic.Int64
}

// InstantPubSub starts one, for as long as the test runs. Google's clients in the
// process find it through the environment.
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

// Requests returns how many requests they came in.
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

// counting is a codec to which a publish request is how many messages it has, and
// the answer as many ids.
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

// ids are those of one answer, all alike: field 1, 16 bytes each.
var ids = []byte(strings.Repeat("\x0a\x101234567890123456", mostIDs))

const mostIDs = 1000 // messages of a request

// Marshal implements encoding.CodecV2.
func (counting) Marshal(v any) (mem.BufferSlice, error) {
	n, ok := v.(int)
	if !ok || n > mostIDs {
		return nil, fmt.Errorf("an answer for %v messages", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(ids[:len(ids)/mostIDs*n])}, nil
}
