package pubsub_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function/sink/pubsub"
	"github.com/aerosink/aerosink/function/sink/sinktest"
	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

func TestContract(t *testing.T) {
	contract.Run(t, contract.Sink{Ordered: true, Refuses: true, Overload: "max-messages=20", Start: startTopic})
}

// topic stores messages as the tests of the contract say.
type topic struct {
	mu     sync.Mutex
	fault  func(contract.Request) contract.Fault
	stored []string
}

func startTopic(t testing.TB) contract.Service {
	t.Helper()
	s := &topic{}
	newServer(t, s.publish)
	return contract.Service{
		Spec: contract.Parse(pubsub.Parse).Spec(sinktest.PubSubSink + "?ordering=256"),
		Fail: func(fault func(contract.Request) contract.Fault) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.fault = fault
		},
		Stored: func(testing.TB) []string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.Clone(s.stored)
		},
	}
}

// publish stores the messages of a request, or returns why it fails.
func (s *topic) publish(ctx context.Context, r *pubsubpb.PublishRequest) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	var data contract.Request
	for _, m := range r.GetMessages() {
		data = append(data, string(m.GetData()))
	}
	var f contract.Fault
	if fault != nil {
		f = fault(data)
	}
	if f.Entries != nil && len(f.Entries) == 0 {
		f.Kind = contract.None // no message of the request fails
	}
	switch f.Kind {
	case contract.Unavailable:
		return status.Error(codes.Unavailable, "in a moment")
	case contract.Throttled:
		return status.Error(codes.ResourceExhausted, "too many")
	case contract.Forbidden:
		return status.Error(codes.PermissionDenied, "not you")
	case contract.Refused:
		return status.Error(codes.InvalidArgument, "not that")
	case contract.Hang:
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	s.stored = append(s.stored, data...)
	s.mu.Unlock()
	switch f.Kind {
	case contract.Lost:
		return status.Error(codes.Unavailable, "the connection is lost")
	case contract.Held:
		select {
		case <-f.Hold:
		case <-ctx.Done():
		}
	}
	return nil
}
