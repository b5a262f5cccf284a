package post

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// A request whose time is over is not sent, even if the connection is there.
func TestHTTP2Connection_expiredRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://there", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	c := &http2Connection{dialed: make(chan struct{})} // without conn, which must not be used
	close(c.dialed)
	for range 100 { // select chooses at random
		if _, err := c.RoundTrip(req); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
	}
}
