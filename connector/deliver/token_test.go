package deliver_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
)

const audience = "https://cdc.example.run.app"

// jwt returns a token that was issued some time ago and lives so long. Nobody
// here looks at its signature.
func jwt(age, life time.Duration, name string) string {
	issued := time.Now().Add(-age)
	claims, _ := json.Marshal(map[string]any{"aud": audience, "iat": issued.Unix(), "exp": issued.Add(life).Unix(), "sub": name})
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(claims) + ".c2ln"
}

// metadata is a metadata server whose tokens are made by a function of the number
// of the request, counted from 1.
type metadata struct {
	asked atomic.Int64
	most  atomic.Int64 // requests at once
	now   atomic.Int64
}

func newMetadata(t *testing.T, token func(n int64) (string, int)) *metadata {
	t.Helper()
	m := &metadata{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/identity" || r.URL.Query().Get("audience") != audience || r.Header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("metadata server asked for %s", r.URL)
		}
		m.most.Store(max(m.most.Load(), m.now.Add(1)))
		defer m.now.Add(-1)
		text, status := token(m.asked.Add(1))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(s.URL, "http://"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir()) // where the library looks for a user's own credentials
	return m
}

// guarded is a server that wants to see one of the tokens it knows.
type guarded struct {
	url   string
	posts atomic.Int64
	mu    sync.Mutex
	valid string // "" is any
	token string // of the last request
}

func newGuarded(t *testing.T) *guarded {
	g := &guarded{}
	g.url = server(t, func(w http.ResponseWriter, r *http.Request) {
		g.posts.Add(1)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if g.valid != "" && g.token != g.valid {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}).URL
	return g
}

func (g *guarded) want(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = token
}

func (g *guarded) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token
}

func authorized(t *testing.T, url string, a auth.Source) *deliver.Destination {
	c := config(t, url)
	c.Auth = a
	return open(t, c)
}

// However many requests want a token, it is fetched once, and kept while it is
// young.
func TestGoogleIDTokenIsFetchedOnce(t *testing.T) {
	token := jwt(0, time.Hour, "one")
	m := newMetadata(t, func(int64) (string, int) { return token, 200 })
	g := newGuarded(t)
	g.want(token)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	if failures := pressure(t, d, 200); failures != 0 {
		t.Errorf("%d of 200 failed", failures)
	}
	if m.asked.Load() != 1 {
		t.Errorf("%d tokens fetched, want 1", m.asked.Load())
	}
}

// After four fifths of its own life, whatever the library believes, a token is
// fetched anew, while the old one still serves.
func TestGoogleIDTokenIsRefreshed(t *testing.T) {
	old, young := jwt(39*time.Second, 50*time.Second, "old"), jwt(0, time.Hour, "young")
	fresh := make(chan struct{})
	m := newMetadata(t, func(n int64) (string, int) {
		if n == 1 {
			return old, 200
		}
		<-fresh
		return young, 200
	})
	g := newGuarded(t)
	g.want(old)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	deliver := func() {
		t.Helper()
		if err := send(d, alone, 0, "x").wait(t); err != nil {
			t.Fatal(err)
		}
	}
	changetest.WaitFor(t, "a second fetch", func() bool { deliver(); return m.asked.Load() == 2 })
	deliver() // does not wait for it
	close(fresh)
	g.want("")
	changetest.WaitFor(t, "the young token", func() bool { deliver(); return g.last() == young })
	if m.asked.Load() != 2 {
		t.Errorf("%d tokens fetched, want 2", m.asked.Load())
	}
}

func TestGoogleIDTokenExpires(t *testing.T) {
	// Claims are in whole seconds, so two seconds are at least one.
	m := newMetadata(t, func(n int64) (string, int) { return jwt(0, 2*time.Second, fmt.Sprint(n)), 200 })
	var seen sync.Map
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { seen.Store(r.Header.Get("Authorization"), true) })
	d := authorized(t, s.URL, auth.NewGoogleIDToken(audience))
	changetest.WaitFor(t, "three tokens", func() bool {
		if err := send(d, alone, 0, "x").wait(t); err != nil {
			t.Fatal(err)
		}
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		return n >= 3
	})
	if m.most.Load() > 1 {
		t.Errorf("%d fetches at once", m.most.Load())
	}
}

// On a 401 the token is dropped, and the request made once more with another.
func TestGoogleIDTokenIsRejected(t *testing.T) {
	one, two := jwt(0, time.Hour, "one"), jwt(0, time.Hour, "two")
	m := newMetadata(t, func(n int64) (string, int) {
		if n == 1 {
			return one, 200
		}
		return two, 200
	})
	g := newGuarded(t)
	g.want(two)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	if err := send(d, alone, 0, "x").wait(t); err != nil {
		t.Error(err)
	}
	if m.asked.Load() != 2 || g.posts.Load() != 2 {
		t.Errorf("%d tokens and %d requests, want 2 and 2", m.asked.Load(), g.posts.Load())
	}
}

// A destination that rejects every token does not make the connector ask for one
// with every request.
func TestEveryTokenIsRejected(t *testing.T) {
	m := newMetadata(t, func(n int64) (string, int) { return jwt(0, time.Hour, fmt.Sprint(n)), 200 })
	g := newGuarded(t)
	g.want("another")
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	began := time.Now()
	for range 50 {
		err := send(d, alone, 0, "x").wait(t)
		wantError(t, err, "status 401")
		if strings.Contains(err.Error(), "eyJ") {
			t.Errorf("the error shows a token: %v", err)
		}
	}
	if most := int64(3 + time.Since(began)/time.Second); m.asked.Load() > most {
		t.Errorf("%d tokens fetched, want at most %d", m.asked.Load(), most)
	}
}

// Without a token nothing is sent, and the error says why, not what came.
func TestNoToken(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		status int
		want   string
	}{
		"not there":   {"no such account", 404, "not defined"},
		"no token":    {"secret text", 200, "the response is not a token"},
		"no claims":   {"secret.!!!.text", 200, "the response is not a token"},
		"no expiry":   {"secret." + base64.RawURLEncoding.EncodeToString([]byte("{}")) + ".text", 200, "the response is not a token"},
		"expired one": {jwt(2*time.Hour, time.Hour, "old"), 200, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMetadata(t, func(int64) (string, int) { return tt.answer, tt.status })
			g := newGuarded(t)
			d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
			for range 5 {
				err := send(d, alone, 0, "x").wait(t)
				wantError(t, err, "authorize: fetch an identity token from Google: ")
				wantError(t, err, tt.want)
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "eyJ") {
					t.Errorf("the error shows what came: %v", err)
				}
			}
			if g.posts.Load() != 0 || m.asked.Load() > 3 {
				t.Errorf("%d requests, %d fetches", g.posts.Load(), m.asked.Load())
			}
		})
	}
}

// A request does not wait for a token longer than it may take itself.
func TestTokenThatDoesNotCome(t *testing.T) {
	hang := make(chan struct{})
	newMetadata(t, func(int64) (string, int) { <-hang; return "", 500 })
	t.Cleanup(func() { close(hang) })
	c := config(t, newGuarded(t).url)
	c.Auth, c.CallTimeout = auth.NewGoogleIDToken(audience), 50*time.Millisecond
	wantError(t, send(open(t, c), alone, 0, "x").wait(t), "fetch an identity token from Google: context deadline exceeded")
}
