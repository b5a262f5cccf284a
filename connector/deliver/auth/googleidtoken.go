package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth/credentials/idtoken"

	"github.com/aerosink/aerosink/connector/credentials"
)

// GoogleIDToken is a [Source] of Google identity tokens, which Cloud Run requires. One may
// serve any number of destinations. It may be used by several goroutines at once.
//
// A token is used for four fifths of its lifetime. Then the next request starts the fetch
// of another, without waiting for it. A request waits only if no valid token is left.
type GoogleIDToken struct {
	audience string
	fetched  atomic.Uint64
	failed   atomic.Uint64

	mu       sync.Mutex
	token    idToken
	err      error         // of the last fetch
	fetching chan struct{} // closed at the end of the running fetch; nil without one
	pause    time.Time     // no fetch before then
	rejected time.Time     // when a token was last dropped
}

// idToken is a token, and when to refresh it.
type idToken struct {
	text             string
	refresh, expires time.Time
}

const (
	fetchTimeout = 10 * time.Second

	// After a failed fetch, a token that is due for a refresh when it arrives, or a
	// rejected one, the next fetch waits this long, so that there is not one per request.
	failurePause = time.Second
	stalePause   = 30 * time.Second
	rejectPause  = time.Second
)

// NewGoogleIDToken returns a source of tokens for audience: the URL of the Cloud Run
// service, or one of its custom audiences. The first request fetches the first token.
func NewGoogleIDToken(audience string) *GoogleIDToken {
	return &GoogleIDToken{audience: audience}
}

// Authorization implements [Source].
func (g *GoogleIDToken) Authorization(ctx context.Context) (string, error) {
	for {
		text, fetching, err := g.current(time.Now())
		if fetching == nil {
			return text, err
		}
		select {
		case <-fetching:
		case <-ctx.Done():
			return "", fmt.Errorf("fetch an identity token from Google: %w", context.Cause(ctx))
		}
	}
}

// current returns the header's value, or the running fetch to wait for. It starts a fetch
// when one is due.
func (g *GoogleIDToken) current(now time.Time) (text string, fetching <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	valid := now.Before(g.token.expires)
	if !now.Before(g.token.refresh) && g.fetching == nil && !now.Before(g.pause) {
		g.fetching = make(chan struct{})
		go g.fetch() // returns within fetchTimeout
	}
	switch {
	case valid:
		return "Bearer " + g.token.text, nil, nil
	case g.fetching != nil:
		return "", g.fetching, nil
	}
	return "", nil, g.err
}

func (g *GoogleIDToken) fetch() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	text, err := fetchGoogleIDToken(ctx, g.audience)
	now := time.Now()
	var token idToken
	if err == nil {
		token, err = parseIDToken(text, now)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.fetching)
	g.fetching = nil
	if err != nil {
		g.failed.Add(1)
		g.err = fmt.Errorf("fetch an identity token from Google: %w", err)
		g.pause = now.Add(failurePause)
		return
	}
	g.fetched.Add(1)
	g.token, g.err = token, errExpired // for when the next fetch does not end in time
	if !now.Before(token.refresh) {
		g.pause = now.Add(min(stalePause, token.expires.Sub(now)))
	}
}

// Fetched returns how many tokens were fetched so far.
func (g *GoogleIDToken) Fetched() uint64 { return g.fetched.Load() }

// Failed returns how many fetches have failed so far.
func (g *GoogleIDToken) Failed() uint64 { return g.failed.Load() }

// Expires returns when the token in use expires, or the zero time if there is none.
func (g *GoogleIDToken) Expires() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token.expires
}

// Rejected implements [Source]: the next request fetches another token. If tokens are
// rejected one after another, each is used for a second.
func (g *GoogleIDToken) Rejected(value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if value != "Bearer "+g.token.text || now.Sub(g.rejected) < rejectPause {
		return
	}
	g.rejected = now
	g.token = idToken{}
	g.pause = time.Time{}
}

var (
	errNotJWT  = errors.New("the response is not a token")
	errExpired = errors.New("the token has already expired; check this machine's clock")
)

// parseIDToken reads when a token was issued and when it expires. It does not verify the
// signature; that is the destination's job.
func parseIDToken(text string, now time.Time) (idToken, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return idToken{}, errNotJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return idToken{}, errNotJWT
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return idToken{}, errNotJWT
	}
	issued, expires := time.Unix(claims.IssuedAt, 0), time.Unix(claims.Expires, 0)
	if claims.IssuedAt == 0 || issued.After(expires) {
		issued = now
	}
	if !now.Before(expires) {
		return idToken{}, errExpired
	}
	return idToken{text, issued.Add(expires.Sub(issued) * 4 / 5), expires}, nil
}

// fetchGoogleIDToken fetches an identity token for audience: with the key file that
// GOOGLE_APPLICATION_CREDENTIALS names, or else from the metadata server. Each token has
// credentials of its own, because the library caches one for an hour whatever its
// lifetime.
func fetchGoogleIDToken(ctx context.Context, audience string) (string, error) {
	source, err := idtoken.NewCredentials(&idtoken.Options{Audience: audience})
	if file := credentials.File(); err != nil && file != "" {
		return "", fmt.Errorf("read credentials from %s: %w", file, err)
	}
	if err != nil {
		return "", err
	}
	token, err := source.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.Value, nil
}
