package pubsub_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
)

// server is a Pub/Sub server that fails publish requests as a test says.
type server struct {
	pubsubpb.UnimplementedPublisherServer

	mu       sync.Mutex
	fault    func(context.Context, *pubsubpb.PublishRequest) error
	accepted []*pubsubpb.PubsubMessage
	requests int
}

// newServer starts a server that fails requests with what fault returns for them, until
// the test ends. A nil fault fails none.
func newServer(t testing.TB, fault func(context.Context, *pubsubpb.PublishRequest) error) *server {
	t.Helper()
	s := &server{fault: fault}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(20 << 20))
	pubsubpb.RegisterPublisherServer(g, s)
	go func() { _ = g.Serve(l) }() // Stop ends it
	t.Cleanup(g.Stop)
	t.Setenv("PUBSUB_EMULATOR_HOST", l.Addr().String())
	return s
}

// Publish implements pubsubpb.PublisherServer.
func (s *server) Publish(ctx context.Context, r *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	s.mu.Lock()
	s.requests++
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append(s.accepted, r.GetMessages()...)
	return &pubsubpb.PublishResponse{MessageIds: make([]string, len(r.GetMessages()))}, nil
}

// setFault replaces the server's fault.
func (s *server) setFault(fault func(context.Context, *pubsubpb.PublishRequest) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// data returns the data of the accepted messages, in order.
func (s *server) data() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, m := range s.accepted {
		all = append(all, string(m.GetData()))
	}
	return strings.Join(all, " ")
}

// requestCount returns the number of requests so far.
func (s *server) requestCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// metric returns the sum of those series of a metric that have all the labels, given as
// name=value.
func metric(t testing.TB, r *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			had := 0
			for _, l := range m.GetLabel() {
				for _, want := range labels {
					if l.GetName()+"="+l.GetValue() == want {
						had++
					}
				}
			}
			if f.GetName() == "aerosink_pubsub_"+name && had == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
