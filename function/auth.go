package function

import (
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
)

// Token is the SHA-256 of a bearer token: enough to know it again, and nothing to
// betray.
type Token [sha256.Size]byte

// minToken is the length in bytes below which a token could be guessed.
const minToken = 16

// parseTokens reads one token from each line. Lines that are empty or begin with #
// are left out; that all are is a fault. Errors never hold a token.
func parseTokens(lines []string) ([]Token, error) {
	var tokens []Token
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.ContainsAny(line, " \t"):
			return nil, fmt.Errorf("token %d has white space in it; a token is one word", i+1)
		case len(line) < minToken:
			return nil, fmt.Errorf("token %d has %d bytes, fewer than %d; make one with: openssl rand -hex 32", i+1, len(line), minToken)
		}
		tokens = append(tokens, sha256.Sum256([]byte(line)))
	}
	if tokens == nil {
		return nil, errors.New("no token is in it; make one with: openssl rand -hex 32")
	}
	return tokens, nil
}

func readTokens(path string) ([]Token, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tokens, err := parseTokens(strings.Split(string(text), "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tokens, nil
}

const (
	// lookInterval is the time between two looks at the file of tokens.
	lookInterval = time.Second

	// rereadInterval is the time after which it is read even if it looks the same: a
	// mounted secret need not show its age.
	rereadInterval = time.Minute
)

// tokenFile is a file of tokens that is read again when it has changed. What was
// read last counts for as long as it cannot be read.
type tokenFile struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	tokens []Token
	fault  string // that was logged last
	looked time.Time
	read   time.Time
	info   os.FileInfo // when it was read
}

// current returns the tokens, nil until the file could be read.
func (f *tokenFile) current() []Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !f.looked.IsZero() && now.Sub(f.looked) < lookInterval {
		return f.tokens
	}
	f.looked = now
	info, err := os.Stat(f.path)
	if err == nil && f.tokens != nil && f.fault == "" && now.Sub(f.read) < rereadInterval && same(info, f.info) {
		return f.tokens
	}
	tokens, err := readTokens(f.path)
	f.note(err)
	if err == nil {
		f.tokens, f.info, f.read = tokens, info, now
	}
	return f.tokens
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// note logs each fault once.
func (f *tokenFile) note(err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	switch fault {
	case f.fault:
	case "":
		f.log.Info("tokens are read again", slog.String("variable", tokensFile.Name))
	default:
		f.log.Error("tokens cannot be read", slog.String("variable", tokensFile.Name), slog.String("error", fault), slog.Bool("old_ones_count", f.tokens != nil))
	}
	f.fault = fault
}

// guard lets requests in that have one of the tokens, all if there shall be none.
type guard struct {
	own  []Token
	file *tokenFile // nil is none
}

// newGuard returns a guard for the tokens own and those in the file; "" is none.
func newGuard(own []Token, file string, log *slog.Logger) guard {
	g := guard{own: own}
	if file != "" {
		g.file = &tokenFile{path: file, log: log}
	}
	return g
}

// admit returns the problem of a request that may not come in.
func (g guard) admit(req *http.Request) error {
	if g.file == nil && len(g.own) == 0 {
		return nil
	}
	var read []Token
	if g.file != nil {
		if read = g.file.current(); read == nil {
			return &problem{Status: http.StatusServiceUnavailable, Detail: "the file of " + tokensFile.Name + " cannot be read; the log says why"}
		}
	}
	if token, ok := bearer(req.Header["Authorization"]); ok && among(token, g.own, read) {
		return nil
	}
	return &problem{
		Status: http.StatusUnauthorized,
		Detail: "the header Authorization: Bearer TOKEN is needed, with one of the tokens that the server has",
		Header: http.Header{"Www-Authenticate": {"Bearer"}},
	}
}

// bearer returns the token of the header's one value.
func bearer(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), strings.EqualFold(scheme, "Bearer")
}

// among takes the same time whichever of the tokens it is, or none.
func among(text string, lists ...[]Token) bool {
	given := sha256.Sum256([]byte(text))
	found := 0
	for _, tokens := range lists {
		for _, t := range tokens {
			found |= subtle.ConstantTimeCompare(given[:], t[:])
		}
	}
	return found == 1
}

// isHealthCheck says whether the request asks for no more than whether the process
// lives, which everybody may: Aerospike's connector does it with whatever is no
// POST.
func isHealthCheck(req *http.Request) bool {
	return req.Method != http.MethodPost && (req.URL.Path == "/" || req.URL.Path == "/healthz")
}
