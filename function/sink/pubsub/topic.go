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

	"github.com/aerosink/aerosink/connector/plural"
)

// topic publishes to one topic. It uses Google's generated client to connect,
// authenticate and route, but bypasses the client's encoder.
type topic struct {
	client *apiv1.TopicAdminClient
	field  []byte                   // encoded field of a request: the topic's name
	empty  *pubsubpb.PublishRequest // all but the messages
}

// emulator is the environment variable that points Google's clients at an emulator.
const emulator = "PUBSUB_EMULATOR_HOST"

// dial connects to Pub/Sub as Google's own publisher does, with several connections.
// An emulator gets one connection and has precedence over the endpoint.
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
	client.CallOptions.Publish = nil // publisher.try retries, within the time of a Put
	field := protowire.AppendTag(nil, requestTopic, protowire.BytesType)
	return topic{client: client, field: protowire.AppendString(field, name), empty: &pubsubpb.PublishRequest{Topic: name}}, nil
}

// address returns the host and port of a regional endpoint, or endpoint if it has a port.
func address(endpoint string) string {
	if strings.Contains(endpoint, ":") {
		return endpoint
	}
	return endpoint + "-pubsub.googleapis.com:443"
}

// publish publishes messages first to last of a request. It returns the size of the
// encoded request.
func (t *topic) publish(ctx context.Context, r *publishRequest, first, last int) (bytes int, err error) {
	c := &publishCodec{topic: t.field, request: r, first: first, last: last}
	_, err = t.client.Publish(ctx, t.empty, gax.WithGRPCOptions(grpc.ForceCodecV2(c)))
	return c.bytes, err
}

// publishCodec is the gRPC codec of one request: it sends the messages as they are
// already encoded, and counts the IDs in the response.
type publishCodec struct {
	topic       []byte
	request     *publishRequest
	first, last int // messages of the request
	bytes       int
}

// Name implements encoding.CodecV2. The content subtype stays protobuf.
func (c *publishCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (c *publishCodec) Marshal(any) (mem.BufferSlice, error) {
	all := make(mem.BufferSlice, 1, 1+len(c.request.chunks))
	all[0] = mem.SliceBuffer(c.topic)
	all = c.request.share(all, c.first, c.last)
	c.bytes = all.Len()
	return all, nil
}

// Unmarshal implements encoding.CodecV2. It fails unless each message has an ID.
func (c *publishCodec) Unmarshal(data mem.BufferSlice, _ any) error {
	response := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer response.Free()
	ids := 0
	for rest := response.ReadOnlyData(); len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 {
			return fmt.Errorf("read the response of Pub/Sub: %w", protowire.ParseError(n))
		}
		if number == responseMessageID && kind == protowire.BytesType {
			ids++
		}
		rest = rest[n:]
	}
	if messages := c.last - c.first; ids != messages {
		return fmt.Errorf("read the response of Pub/Sub: %s for %s", plural.Of(ids, "ID"), plural.Of(messages, "message"))
	}
	return nil
}
