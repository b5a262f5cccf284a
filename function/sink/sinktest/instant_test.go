package sinktest_test

import (
	"testing"

	"cloud.google.com/go/pubsub/v2"

	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// Google's own client accepts the responses.
func TestInstantPubSub(t *testing.T) {
	server := sinktest.InstantPubSub(t)
	client, err := pubsub.NewClient(t.Context(), "test-project")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := client.Publisher("changes")
	defer p.Stop()
	const messages = 2500
	var results []*pubsub.PublishResult
	for range messages {
		results = append(results, p.Publish(t.Context(), &pubsub.Message{Data: make([]byte, 1000), Attributes: map[string]string{"a": "b"}}))
	}
	for _, r := range results {
		if id, err := r.Get(t.Context()); err != nil || len(id) != 16 {
			t.Fatalf("id %q, %v", id, err)
		}
	}
	if n := server.Messages(); n != messages {
		t.Errorf("%d messages, want %d", n, messages)
	}
	if n := server.Requests(); n < messages/1000 || n > messages {
		t.Errorf("%d requests of %d messages", n, messages)
	}
}
