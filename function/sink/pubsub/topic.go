package pubsub

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	apiv1 "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// topic is the topic's end of the connection to Pub/Sub. It calls Google's generated
// client, which knows how to connect, authenticate and route, and has the messages
// go past its encoder.
type topic struct {
	client *apiv1.TopicAdminClient
	field  []byte                   // of a request, with the topic's name
	empty  *pubsubpb.PublishRequest // all but the messages
}

// emulator is the variable that leads Google's clients to an emulator.
const emulator = "PUBSUB_EMULATOR_HOST"

// dial connects to Pub/Sub as Google's own publisher does: with several connections,
// but for an emulator, which also has precedence over the endpoint.
func dial(ctx context.Context, name, endpoint string) (topic, error) {
	var options []option.ClientOption
	if os.Getenv(emulator) == "" {
		options = append(options,
			option.WithGRPCConnectionPool(min(runtime.GOMAXPROCS(0), 4)),
			option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute})))
		if endpoint != "" {
			options = append(options, option.WithEndpoint(address(endpoint)))
		}
	}
	client, err := apiv1.NewTopicAdminClient(ctx, options...)
	if err != nil {
		return topic{}, fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	client.CallOptions.Publish = nil // it is tried again here, with the bounds of a Put
	field := protowire.AppendTag(nil, requestTopic, protowire.BytesType)
	return topic{client: client, field: protowire.AppendString(field, name), empty: &pubsubpb.PublishRequest{Topic: name}}, nil
}

// address returns the endpoint of a region, or the host and port as they are.
func address(endpoint string) string {
	if strings.Contains(endpoint, ":") {
		return endpoint
	}
	return endpoint + "-pubsub.googleapis.com:443"
}

// publish publishes messages first to last of a request, and returns how many bytes
// were given to gRPC.
func (t *topic) publish(ctx context.Context, r *request, first, last int) (bytes int, err error) {
	c := &call{topic: t.field, request: r, first: first, last: last}
	_, err = t.client.Publish(ctx, t.empty, gax.WithGRPCOptions(grpc.ForceCodecV2(c)))
	return c.bytes, err
}

// call is the codec of one request: it sends the messages as they are written, and
// counts the ids of the answer.
type call struct {
	topic       []byte
	request     *request
	first, last int // messages of the request
	bytes       int
}

// Name implements encoding.CodecV2: what is sent is protobuf like any other.
func (c *call) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (c *call) Marshal(any) (mem.BufferSlice, error) {
	all := make(mem.BufferSlice, 1, 1+len(c.request.parcels))
	all[0] = mem.SliceBuffer(c.topic)
	all = c.request.lend(all, c.first, c.last)
	c.bytes = all.Len()
	return all, nil
}

// Unmarshal implements encoding.CodecV2. A message without id is not published.
func (c *call) Unmarshal(data mem.BufferSlice, _ any) error {
	answer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer answer.Free()
	ids := 0
	for rest := answer.ReadOnlyData(); len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 {
			return fmt.Errorf("read the answer of Pub/Sub: %w", protowire.ParseError(n))
		}
		if number == answerID && kind == protowire.BytesType {
			ids++
		}
		rest = rest[n:]
	}
	if messages := c.last - c.first; ids != messages {
		return fmt.Errorf("read the answer of Pub/Sub: %d ids of %d messages", ids, messages)
	}
	return nil
}
