package pubsub_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/pubsub"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestProbe_emulator(t *testing.T) {
	sinktest.New(t)
	if err := parse(t, sinktest.PubSubSink, sink.Options{}).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	err := parse(t, "pubsub://test-project/nothing", sink.Options{}).Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gcloud pubsub topics create nothing --project=test-project") {
		t.Errorf("missing topic: %v", err)
	}
}

// permissions is a server that knows only the permissions on a topic.
type permissions struct {
	iampb.UnimplementedIAMPolicyServer
	had []string
	err error
}

// TestIamPermissions implements iampb.IAMPolicyServer.
func (p *permissions) TestIamPermissions(_ context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if r.GetResource() != sinktest.Topic || len(r.GetPermissions()) != 1 || r.GetPermissions()[0] != "pubsub.topics.publish" {
		return nil, status.Errorf(codes.Internal, "asked for %v", r)
	}
	return &iampb.TestIamPermissionsResponse{Permissions: p.had}, p.err
}

func TestProbe_permissions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server permissions
		want   string // "" finds nothing wrong
	}{
		{"granted", permissions{had: []string{"pubsub.topics.publish"}}, ""},
		{"not granted", permissions{}, "--role=roles/pubsub.publisher"},
		{"missing topic", permissions{err: status.Error(codes.NotFound, "none")}, "gcloud pubsub topics create changes"},
		{"forbidden to ask", permissions{err: status.Error(codes.PermissionDenied, "no")}, "--role=roles/pubsub.publisher"},
		{"internal error", permissions{err: status.Error(codes.Internal, "oh")}, "check topic projects/test-project/topics/changes: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g := grpc.NewServer()
			iampb.RegisterIAMPolicyServer(g, &tt.server)
			go func() { _ = g.Serve(l) }() // Stop ends it
			defer g.Stop()
			t.Setenv("PUBSUB_EMULATOR_HOST", l.Addr().String())
			err = parse(t, sinktest.PubSubSink, sink.Options{}).Probe(t.Context())
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A Put outlasts a restart of the server, and loses nothing.
func TestPut_serverRestarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first, second := &server{}, &server{}
	serve := func(s *server, l net.Listener) *grpc.Server {
		g := grpc.NewServer()
		pubsubpb.RegisterPublisherServer(g, s)
		go func() { _ = g.Serve(l) }() // Stop ends it
		return g
	}
	g := serve(first, l)
	t.Setenv("PUBSUB_EMULATOR_HOST", l.Addr().String())
	s := open(t, sinktest.PubSubSink+"?ordering=1", sink.Options{})
	if verdicts := s.Put(t.Context(), versions(version(1, 1))); verdicts != nil {
		t.Fatal(verdicts)
	}
	g.Stop()
	answer := make(chan sink.Verdicts)
	go func() { answer <- s.Put(t.Context(), versions(version(1, 2))) }()
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Skipf("the port is taken: %v", err)
	}
	defer serve(second, again).Stop()
	if verdicts := <-answer; verdicts != nil {
		t.Error(verdicts)
	}
	if first.data() != "1.1" || second.data() != "1.2" {
		t.Errorf("published %s, then %s", first.data(), second.data())
	}
}

func TestParse_URLs(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"pubsub://my-project/changes?ordering=4096&linger=0s&pause=1m&max-messages=1&max-bytes=16MiB&endpoint=europe-west1", ""},
		{"pubsub://my-project/changes?endpoint=pubsub.example.com:443&data=xdr", ""},
		{"pubsub://my-project/changes?mode=packed&compression=gzip&packed=ndjson", ""},
		{"pubsub://my-project/changes?mode=packed&data=json", "data=json is for mode=single"},
		{"pubsub://my-project/changes?data=avro", ""},
		{"pubsub://my-project/changes?data=csv", "invalid data=csv: want one of as-received, json"},
		{"pubsub://my-project/changes?endpoint=a/b", "want a region or HOST:PORT"},
		{"pubsub://my-project/changes?max-bytes=1MiB", "invalid size max-bytes=1MiB"},
		{"pubsub://my-project/changes?linger=-1s", "invalid duration linger=-1s"},
		{"pubsub://my-project", "want pubsub://PROJECT/TOPIC"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pubsub.Parse(u, sink.Options{Timeout: time.Second})
		if tt.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.err)
		}
	}
}
