package deliver_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// A changed token in the file is used at once after a 401.
func TestBearer_changedToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "one\n")
	secret, err := auth.ReadSecret(file)
	if err != nil {
		t.Fatal(err)
	}
	g := newTokenServer(t)
	g.want("one")
	d := authorized(t, g.url, auth.Bearer{Token: secret})
	if err := send(d, alone, 0, "x").wait(t); err != nil {
		t.Error(err)
	}
	g.want("the second")
	write(t, file, "the second")
	if err := send(d, alone, 0, "x").wait(t); err != nil {
		t.Error(err)
	}
	g.want("the third")
	before := g.posts.Load()
	err = send(d, alone, 0, "x").wait(t)
	wantError(t, err, "status 401")
	if strings.Contains(err.Error(), "the second") || g.posts.Load() != before+1 {
		t.Errorf("%d requests with a token that did not change: %v", g.posts.Load()-before, err)
	}
}
