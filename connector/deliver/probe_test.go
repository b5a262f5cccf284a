package deliver_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver"
)

// slowAuth has no authorization before the context ends.
type slowAuth struct{}

// Authorization implements auth.Source.
func (slowAuth) Authorization(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// Rejected implements auth.Source.
func (slowAuth) Rejected(string) {}

// A token that does not come leaves the health check its own time.
func TestProbe_slowToken(t *testing.T) {
	c := config(t, server(t, func(http.ResponseWriter, *http.Request) {}).URL)
	c.Auth, c.CallTimeout = slowAuth{}, time.Second
	found := deliver.Probe(t.Context(), c)
	if len(found) != 1 || found[0].Status != http.StatusOK || found[0].Err != nil || found[0].NoToken == nil {
		t.Errorf("%+v", found)
	}
}
