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

// jwt returns a token with the given age and lifetime. Its signature is not valid.
func jwt(age, life time.Duration, name string) string {
	issued := time.Now().Add(-age)
	claims, _ := json.Marshal(map[string]any{"aud": audience, "iat": issued.Unix(), "exp": issued.Add(life).Unix(), "sub": name})
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(claims) + ".c2ln"
}

// metadataServer is a metadata server whose tokens depend on the number of the request,
// counted from 1.
type metadataServer struct {
	asked atomic.Int64
	most  atomic.Int64 // requests at once
	now   atomic.Int64
}

func newMetadataServer(t *testing.T, token func(n int64) (string, int)) *metadataServer {
	t.Helper()
	m := &metadataServer{}
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
	t.Setenv("HOME", t.TempDir()) // the library looks there for the user's credentials
	return m
}

// tokenServer is a server that requires a token.
type tokenServer struct {
	url   string
	posts atomic.Int64
	mu    sync.Mutex
	valid string // "" means any
	token string // of the last request
}

func newTokenServer(t *testing.T) *tokenServer {
	g := &tokenServer{}
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

// want sets the valid token.
func (g *tokenServer) want(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = token
}

func (g *tokenServer) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token
}

func authorized(t *testing.T, url string, a auth.Source) *deliver.Destination {
	c := config(t, url)
	c.Auth = a
	return open(t, c)
}

// A token is fetched once for all requests that need it, and reused.
func TestGoogleIDToken_fetchedOnce(t *testing.T) {
	token := jwt(0, time.Hour, "one")
	m := newMetadataServer(t, func(int64) (string, int) { return token, 200 })
	g := newTokenServer(t)
	g.want(token)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	if failures := sendMany(t, d, 200); failures != 0 {
		t.Errorf("%d of 200 failed", failures)
	}
	if m.asked.Load() != 1 {
		t.Errorf("%d tokens fetched, want 1", m.asked.Load())
	}
}

// After four fifths of a token's lifetime another one is fetched, even though the library
// caches tokens for longer. Until it arrives, requests use the first.
func TestGoogleIDToken_refreshed(t *testing.T) {
	old, refreshed := jwt(39*time.Second, 50*time.Second, "old"), jwt(0, time.Hour, "refreshed")
	fresh := make(chan struct{})
	m := newMetadataServer(t, func(n int64) (string, int) {
		if n == 1 {
			return old, 200
		}
		<-fresh
		return refreshed, 200
	})
	g := newTokenServer(t)
	g.want(old)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	deliver := func() {
		t.Helper()
		if err := send(d, alone, 0, "x").wait(t); err != nil {
			t.Fatal(err)
		}
	}
	changetest.WaitFor(t, "a second fetch", func() bool { deliver(); return m.asked.Load() == 2 })
	deliver() // does not wait for the fetch
	close(fresh)
	g.want("")
	changetest.WaitFor(t, "the refreshed token", func() bool { deliver(); return g.last() == refreshed })
	if m.asked.Load() != 2 {
		t.Errorf("%d tokens fetched, want 2", m.asked.Load())
	}
}

func TestGoogleIDToken_expired(t *testing.T) {
	// Claims are in whole seconds, so two seconds are at least one.
	m := newMetadataServer(t, func(n int64) (string, int) { return jwt(0, 2*time.Second, fmt.Sprint(n)), 200 })
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

// After a 401 the token is dropped, and the request is repeated with another.
func TestGoogleIDToken_rejected(t *testing.T) {
	one, two := jwt(0, time.Hour, "one"), jwt(0, time.Hour, "two")
	m := newMetadataServer(t, func(n int64) (string, int) {
		if n == 1 {
			return one, 200
		}
		return two, 200
	})
	g := newTokenServer(t)
	g.want(two)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	if err := send(d, alone, 0, "x").wait(t); err != nil {
		t.Error(err)
	}
	if m.asked.Load() != 2 || g.posts.Load() != 2 {
		t.Errorf("%d tokens and %d requests, want 2 and 2", m.asked.Load(), g.posts.Load())
	}
}

// If the destination rejects every token, there is not a fetch for every request.
func TestGoogleIDToken_allRejected(t *testing.T) {
	m := newMetadataServer(t, func(n int64) (string, int) { return jwt(0, time.Hour, fmt.Sprint(n)), 200 })
	g := newTokenServer(t)
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

// Without a token nothing is sent. The error gives the reason, without the metadata server's
// response.
func TestGoogleIDToken_fetchFails(t *testing.T) {
	for name, tt := range map[string]struct {
		response string
		status   int
		want     string
	}{
		"not found": {"no such account", 404, "not defined"},
		"not a JWT": {"secret text", 200, "the response is not a token"},
		"no claims": {"secret.!!!.text", 200, "the response is not a token"},
		"no expiry": {"secret." + base64.RawURLEncoding.EncodeToString([]byte("{}")) + ".text", 200, "the response is not a token"},
		"expired":   {jwt(2*time.Hour, time.Hour, "old"), 200, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMetadataServer(t, func(int64) (string, int) { return tt.response, tt.status })
			g := newTokenServer(t)
			d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
			for range 5 {
				err := send(d, alone, 0, "x").wait(t)
				wantError(t, err, "authorize: fetch an identity token from Google: ")
				wantError(t, err, tt.want)
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "eyJ") {
					t.Errorf("the error shows the response: %v", err)
				}
			}
			if g.posts.Load() != 0 || m.asked.Load() > 3 {
				t.Errorf("%d requests, %d fetches", g.posts.Load(), m.asked.Load())
			}
		})
	}
}

// A request waits for a token no longer than CallTimeout.
func TestGoogleIDToken_fetchHangs(t *testing.T) {
	hang := make(chan struct{})
	newMetadataServer(t, func(int64) (string, int) { <-hang; return "", 500 })
	t.Cleanup(func() { close(hang) })
	c := config(t, newTokenServer(t).url)
	c.Auth, c.CallTimeout = auth.NewGoogleIDToken(audience), 50*time.Millisecond
	wantError(t, send(open(t, c), alone, 0, "x").wait(t), "fetch an identity token from Google: context deadline exceeded")
}
