package intake

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/function/problem"
)

// store is a store of one secret.
type store struct {
	text  string
	err   error
	takes time.Duration
	reads int
}

func (s *store) read(ctx context.Context) ([]byte, error) {
	s.reads++
	text, err := s.text, s.err
	select {
	case <-time.After(s.takes):
		return []byte(text), err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// status returns the status that a request with a token gets from g, and the detail if it is
// not admitted.
func status(ctx context.Context, g Guard, token string) (code int, detail string) {
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
	req.Header.Set("Authorization", "Bearer "+token)
	var p *problem.Problem
	if errors.As(g.Admit(req), &p) {
		return p.Status, p.Detail
	}
	return http.StatusOK, ""
}

// A token is rotated without a restart: a new one is admitted seconds after it was added, an
// old one is refused minutes after it was removed, and nothing is read between requests.
func TestGuard_secretRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &store{text: "# at first\n" + oldToken + "\n"}
		g := NewGuard(Tokens{Secret: s.read}, slog.New(slog.NewTextHandler(&log, nil)))
		expect := func(when, token string, want, reads int) {
			t.Helper()
			if got, _ := status(t.Context(), g, token); got != want || s.reads != reads {
				t.Errorf("%s: status %d after %d reads, want %d after %d\n%s", when, got, s.reads, want, reads, &log)
			}
		}
		g.Open(t.Context())
		expect("read by Open", oldToken, 200, 1)
		expect("not among them", newToken, 401, 1)
		time.Sleep(secretPause)
		expect("a token that is known", oldToken, 200, 1)
		expect("looked for", newToken, 401, 2)
		for range 100 {
			expect("anybody can send such a token", newToken, 401, 2)
		}

		s.text = oldToken + "\n" + newToken + "\n"
		expect("added, but read a moment ago", newToken, 401, 2)
		time.Sleep(secretPause)
		expect("found", newToken, 200, 3)
		expect("both are valid", oldToken, 200, 3)

		s.text = newToken + "\n"
		time.Sleep(secretAge - time.Second)
		expect("removed, but not read again", oldToken, 200, 3)
		time.Sleep(time.Hour)
		if s.reads != 3 {
			t.Errorf("%d reads without a request", s.reads)
		}
		expect("removed", oldToken, 401, 4)
		expect("the new token only", newToken, 200, 4)
		if log.Len() > 0 {
			t.Errorf("log %s", &log)
		}
	})
}

// While the secret cannot be read, requests get a 503 until it was read once, and then the last
// tokens stay valid. The log says what is wrong, once.
func TestGuard_secretFails(t *testing.T) {
	for name, broken := range map[string]store{
		"refused":  {err: errors.New("AccessDeniedException: grant this")},
		"empty":    {},
		"short":    {text: "secret-12345"},
		"keys":     {text: `{"token":"secret-secret-secret-secret"}`},
		"timeout":  {takes: time.Hour},
		"one word": {text: "secret secret-secret-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &broken
				g := NewGuard(Tokens{Own: []Token{{}}, Secret: s.read}, slog.New(slog.NewTextHandler(&log, nil)))
				g.Open(t.Context())
				for range 10 {
					if got, detail := status(t.Context(), g, oldToken); got != 503 || detail != "the secret of AUTH_TOKENS_SECRET cannot be read; see the log" || s.reads != 1 {
						t.Fatalf("status %d, %q, %d reads", got, detail, s.reads)
					}
				}
				time.Sleep(secretRetry)
				if got, _ := status(t.Context(), g, oldToken); got != 503 || s.reads != 2 {
					t.Errorf("status %d, %d reads", got, s.reads)
				}
				if n := strings.Count(log.String(), "cannot read tokens"); n != 1 || strings.Contains(log.String(), "secret-") {
					t.Errorf("log %s", &log)
				}

				failing := *s
				*s = store{text: oldToken}
				time.Sleep(secretRetry)
				if got, _ := status(t.Context(), g, oldToken); got != 200 || !strings.Contains(log.String(), "tokens can be read again") {
					t.Errorf("status %d, log %s", got, &log)
				}

				log.Reset()
				*s = failing
				s.reads = 0
				time.Sleep(secretAge)
				for range 10 {
					if got, _ := status(t.Context(), g, oldToken); got != 200 || s.reads != 1 {
						t.Errorf("status %d, %d reads, want the last tokens", got, s.reads)
					}
				}
				if !strings.Contains(log.String(), "keeping_previous=true") || strings.Contains(log.String(), "secret-") {
					t.Errorf("log %s", &log)
				}
			})
		})
	}
}

// While the secret is read, other requests go on with the last tokens, and one read is enough.
func TestGuard_secretConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{text: oldToken, takes: time.Second}
		g := NewGuard(Tokens{Secret: s.read}, slog.New(slog.DiscardHandler))
		all := func(want int) time.Duration {
			began := time.Now()
			var asking sync.WaitGroup
			for range 50 {
				asking.Go(func() {
					if got, _ := status(t.Context(), g, oldToken); got != want {
						t.Errorf("status %d, want %d", got, want)
					}
				})
			}
			asking.Wait()
			return time.Since(began)
		}
		if took := all(200); took != time.Second || s.reads != 1 {
			t.Errorf("at first: %s, %d reads", took, s.reads)
		}
		time.Sleep(secretAge)
		s.takes = 10 * time.Minute // it does not answer
		if took := all(200); took != secretTimeout || s.reads != 2 {
			t.Errorf("later: %s, %d reads", took, s.reads)
		}
	})
}

// A client that goes away does not end the read that others need too.
func TestGuard_secretClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{text: oldToken, takes: time.Second}
		g := NewGuard(Tokens{Secret: s.read}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, _ := status(ctx, g, oldToken); got != 200 {
			t.Errorf("status %d", got)
		}
	})
}

// With a secret, tokens of the environment and of the file are admitted as well.
func TestGuard_secretAndOthers(t *testing.T) {
	own, err := ParseTokens([]string{ownToken})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGuard(Tokens{Own: own, Secret: (&store{text: newToken}).read}, slog.New(slog.DiscardHandler))
	for token, want := range map[string]int{ownToken: 200, newToken: 200, oldToken: 401, "": 401} {
		if got, _ := status(t.Context(), g, token); got != want {
			t.Errorf("%q: status %d, want %d", token, got, want)
		}
	}
}

// The monotonic clock stands still while a process is frozen, and the other one may be set back.
func TestSince_frozen(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct{ then, want time.Duration }{{0, 0}, {time.Minute, time.Minute}} {
		if got := since(now.Add(-tt.then), now); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if wall := now.Round(0); since(wall.Add(-time.Hour), now) != time.Hour {
		t.Error("the wall clock does not count")
	}
}
