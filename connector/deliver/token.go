package deliver

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
)

// GoogleIDToken sends a token by which Google vouches for who runs the connector,
// as Cloud Run asks for. It is an [Auth] for any number of destinations.
//
// A token is used until four fifths of its own life have passed; then the next
// request has another fetched, and does not wait for it. A request without a
// token that is still good waits.
type GoogleIDToken struct {
	audience string
	fetched  atomic.Uint64
	missed   atomic.Uint64 // fetches that failed

	mu       sync.Mutex
	token    idToken
	err      error         // of the last fetch
	fetching chan struct{} // closed when the fetch under way has ended; nil without one
	pause    time.Time     // no fetch before it
	rejected time.Time     // when a token was last dropped
}

// idToken is a token and what its claims say of its life.
type idToken struct {
	text             string
	refresh, expires time.Time
}

const (
	fetchTimeout = 10 * time.Second

	// A fetch that failed, a token that comes old, and one that is rejected as
	// soon as it comes cost one fetch in so much time, not one for each request.
	failurePause = time.Second
	stalePause   = 30 * time.Second
	rejectPause  = time.Second
)

// NewGoogleIDToken returns an Auth whose tokens are for audience: the URL of the
// Cloud Run service, or one of its custom audiences. The first request fetches the
// first token.
func NewGoogleIDToken(audience string) *GoogleIDToken {
	return &GoogleIDToken{audience: audience}
}

// Authorization implements [Auth].
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

// current returns the header's value, or what to wait for before asking again. It
// has a token fetched when it is time to.
func (g *GoogleIDToken) current(now time.Time) (text string, fetching <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	good := now.Before(g.token.expires)
	if !now.Before(g.token.refresh) && g.fetching == nil && !now.Before(g.pause) {
		g.fetching = make(chan struct{})
		go g.fetch() // ends by itself within fetchTimeout
	}
	switch {
	case good:
		return "Bearer " + g.token.text, nil, nil
	case g.fetching != nil:
		return "", g.fetching, nil
	}
	return "", nil, g.err
}

func (g *GoogleIDToken) fetch() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	text, err := askGoogle(ctx, g.audience)
	now := time.Now()
	var token idToken
	if err == nil {
		token, err = readToken(text, now)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.fetching)
	g.fetching = nil
	if err != nil {
		g.missed.Add(1)
		g.err = fmt.Errorf("fetch an identity token from Google: %w", err)
		g.pause = now.Add(failurePause)
		return
	}
	g.fetched.Add(1)
	g.token, g.err = token, errExpired // which holds when nothing better comes in time
	if !now.Before(token.refresh) {
		g.pause = now.Add(min(stalePause, token.expires.Sub(now)))
	}
}

// expires returns when the token in use does, and the zero time when there is none.
func (g *GoogleIDToken) expires() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token.expires
}

// Rejected implements [Auth]: another token is fetched. When tokens are rejected
// one after another, each is kept for a second.
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
	errNoJWT   = errors.New("what came is no token")
	errExpired = errors.New("what came has expired; set this machine's clock right")
)

// readToken reads when a token was issued and when it expires. Whether it is
// genuine is for who is shown it.
func readToken(text string, now time.Time) (idToken, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return idToken{}, errNoJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return idToken{}, errNoJWT
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return idToken{}, errNoJWT
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
