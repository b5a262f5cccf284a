package intake

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// secretAge is how old the tokens of a secret may become. A token that was removed is
	// admitted for that long.
	secretAge = 5 * time.Minute

	// secretPause is the least time between two reads. A token that is not known makes the
	// secret be read sooner than after secretAge, and so does a failure, but anybody can send
	// such a token, and reading costs money.
	secretPause = 15 * time.Second

	// secretRetry is the pause after a failure while there are no tokens at all, and so every
	// request is answered 503.
	secretRetry = time.Second

	// secretTimeout bounds one read. The 9 s of a request are enough for storing its changes
	// after it.
	secretTimeout = 3 * time.Second
)

// tokenSecret is a secret with tokens; newTokenSecret makes one. It is read when a request
// needs it, and never between requests, since a process may be frozen then. While it cannot be
// read, the last tokens stay valid.
type tokenSecret struct {
	text func(context.Context) ([]byte, error)

	tokens atomic.Pointer[[]Token] // nil until the secret could be read

	turn chan struct{} // holds a value while one goroutine has what is below

	log   tokenLog
	read  time.Time // last success
	tried time.Time // end of the last attempt
}

func newTokenSecret(text func(context.Context) ([]byte, error), log *slog.Logger) *tokenSecret {
	return &tokenSecret{text: text, turn: make(chan struct{}, 1), log: tokenLog{log: log, variable: TokensSecret}}
}

// current returns the tokens, nil until the secret could be read. It reads the secret if the
// tokens are older than age, but at most once in every secretPause.
//
// While one goroutine reads, others get the last tokens, if there are any.
func (s *tokenSecret) current(ctx context.Context, age time.Duration) []Token {
	select {
	case s.turn <- struct{}{}:
	default:
		if last := s.tokens.Load(); last != nil {
			return *last
		}
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
	}
	defer func() { <-s.turn }()
	last, pause := s.tokens.Load(), secretPause
	if last == nil {
		pause = secretRetry
	}
	now := time.Now()
	if (last == nil || since(s.read, now) >= age) && (s.tried.IsZero() || since(s.tried, now) >= pause) {
		tokens, err := s.fetch(ctx)
		s.tried = time.Now()
		s.log.result(err, last != nil)
		if err == nil {
			s.read, last = now, &tokens
			s.tokens.Store(last)
		}
	}
	if last == nil {
		return nil
	}
	return *last
}

// since returns the time from then to now. The monotonic clock stands still while a process is
// frozen, and the other one may be set back.
func since(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then))
}

// fetch reads the secret. The client may go meanwhile: others need the tokens too.
func (s *tokenSecret) fetch(ctx context.Context) ([]Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secretTimeout)
	defer cancel()
	text, err := s.text(ctx)
	if err != nil {
		return nil, err
	}
	return ParseSecret(text)
}

// ParseSecret parses the text of a secret, with one token a line. Errors never hold a token.
func ParseSecret(text []byte) ([]Token, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil, errors.New("the secret is JSON with keys and values; store it as plain text, with one token a line")
	}
	return ParseTokens(strings.Split(string(text), "\n"))
}
