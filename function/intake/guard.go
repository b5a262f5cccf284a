package intake

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/problem"
)

// Token is the SHA-256 of a bearer token. It identifies the token without keeping it.
type Token [sha256.Size]byte

// minToken is the minimum length of a token in bytes. A shorter one could be guessed.
const minToken = 16

// ParseTokens parses one token from each line. Empty lines and those that begin with # are
// skipped; it is an error if no line is left. Errors never hold a token.
func ParseTokens(lines []string) ([]Token, error) {
	var tokens []Token
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.ContainsAny(line, " \t"):
			return nil, fmt.Errorf("token %d contains white space; a token is one word", i+1)
		case len(line) < minToken:
			return nil, fmt.Errorf("token %d has %s, fewer than %d; create one with: openssl rand -hex 32", i+1, plural.Of(len(line), "byte"), minToken)
		}
		tokens = append(tokens, sha256.Sum256([]byte(line)))
	}
	if tokens == nil {
		return nil, errors.New("no tokens found; create one with: openssl rand -hex 32")
	}
	return tokens, nil
}

// ReadTokens reads the tokens in a file, one a line.
func ReadTokens(path string) ([]Token, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tokens, err := ParseTokens(strings.Split(string(text), "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tokens, nil
}

const (
	// checkInterval is how often the file of tokens is checked for changes.
	checkInterval = time.Second

	// rereadInterval is how often it is read even if it looks the same: a mounted secret
	// may change without a new modification time.
	rereadInterval = time.Minute
)

// tokenFile is a file of tokens that is read again when it changes. While it cannot be
// read, the last tokens stay valid.
type tokenFile struct {
	path string

	mu      sync.Mutex
	log     tokenLog
	tokens  []Token
	checked time.Time
	read    time.Time
	info    os.FileInfo // when it was read
}

// current returns the tokens, nil until the file could be read.
func (f *tokenFile) current() []Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !f.checked.IsZero() && now.Sub(f.checked) < checkInterval {
		return f.tokens
	}
	f.checked = now
	info, err := os.Stat(f.path)
	if err == nil && f.tokens != nil && f.log.logged == "" && now.Sub(f.read) < rereadInterval && same(info, f.info) {
		return f.tokens
	}
	tokens, err := ReadTokens(f.path)
	f.log.result(err, f.tokens != nil)
	if err == nil {
		f.tokens, f.info, f.read = tokens, info, now
	}
	return f.tokens
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// tokenLog logs each error of reading tokens once.
type tokenLog struct {
	log      *slog.Logger
	variable string
	logged   string // last error that was logged; "" after a success
}

// result logs the result of reading tokens, nil or an error. With keeping the previous ones
// stay valid.
func (l *tokenLog) result(err error, keeping bool) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch text {
	case l.logged:
	case "":
		l.log.Info("tokens can be read again", slog.String("variable", l.variable))
	default:
		l.log.Error("cannot read tokens", slog.String("variable", l.variable), slog.String("error", text), slog.Bool("keeping_previous", keeping))
	}
	l.logged = text
}

// Tokens says which tokens a [Guard] admits.
type Tokens struct {
	Own  []Token
	File string // path of a file with tokens, one a line; "" is none

	// Secret returns the text of a secret with tokens, one a line. Nil is none. Its errors
	// hold nothing of the text.
	Secret func(context.Context) ([]byte, error)
}

// Any reports whether there are tokens, or may be.
func (t Tokens) Any() bool { return len(t.Own) > 0 || t.File != "" || t.Secret != nil }

// Guard admits requests that carry one of its tokens. With no tokens it admits all.
type Guard struct {
	own    []Token
	file   *tokenFile   // nil if there is none
	secret *tokenSecret // nil if there is none
}

// NewGuard returns a Guard for the tokens.
func NewGuard(t Tokens, log *slog.Logger) Guard {
	g := Guard{own: t.Own}
	if t.File != "" {
		g.file = &tokenFile{path: t.File, log: tokenLog{log: log, variable: TokensFile}}
	}
	if t.Secret != nil {
		g.secret = newTokenSecret(t.Secret, log)
	}
	return g
}

// Open reads the secret, if there is one, so that the first request need not. Errors are
// logged, and the next request tries again.
func (g Guard) Open(ctx context.Context) {
	if g.secret != nil {
		g.secret.current(ctx, secretAge)
	}
}

// Admit returns nil if the request is admitted, and otherwise the problem to answer with.
func (g Guard) Admit(req *http.Request) error {
	if g.file == nil && g.secret == nil && len(g.own) == 0 {
		return nil
	}
	var inFile, inSecret []Token
	if g.file != nil {
		if inFile = g.file.current(); inFile == nil {
			return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: "the file of " + TokensFile + " cannot be read; see the log"}
		}
	}
	if g.secret != nil {
		if inSecret = g.secret.current(req.Context(), secretAge); inSecret == nil {
			return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: "the secret of " + TokensSecret + " cannot be read; see the log"}
		}
	}
	token, ok := bearerToken(req.Header["Authorization"])
	switch {
	case !ok:
	case isAmong(token, g.own, inFile, inSecret):
		return nil
	case g.secret != nil && isAmong(token, g.secret.current(req.Context(), secretPause)): // a new one, perhaps
		return nil
	}
	return &problem.Problem{
		Status: http.StatusUnauthorized,
		Detail: "the request needs a header Authorization: Bearer TOKEN with a valid token",
		Header: http.Header{"Www-Authenticate": {"Bearer"}},
	}
}

// bearerToken returns the token in the only value of the header.
func bearerToken(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), strings.EqualFold(scheme, "Bearer")
}

// isAmong reports whether text is one of the tokens. The time it takes does not depend on
// which one.
func isAmong(text string, lists ...[]Token) bool {
	given := sha256.Sum256([]byte(text))
	found := 0
	for _, tokens := range lists {
		for _, t := range tokens {
			found |= subtle.ConstantTimeCompare(given[:], t[:])
		}
	}
	return found == 1
}
