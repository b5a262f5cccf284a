package intake

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/function/problem"
)

const (
	oldToken = "old-0123456789abcdef"
	newToken = "new-0123456789abcdef"
	ownToken = "own-0123456789abcdef"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadTokens_errors(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{"", "AUTH_TOKENS_FILE: no tokens found; create one with: openssl rand -hex 32"},
		{"# " + oldToken + "\n \n", "no tokens found"},
		{oldToken + "\nshort-secret\n", "token 2 has 12 bytes, fewer than 16; create one with: openssl rand -hex 32"},
		{"secret " + oldToken, "token 1 contains white space"},
	} {
		path := filepath.Join(t.TempDir(), "AUTH_TOKENS_FILE")
		write(t, path, tt.text)
		_, err := ReadTokens(path)
		if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v, want one that says %q", tt.text, err, tt.err)
		}
	}
}

// The file is read again when it has changed. While it cannot be read, the last tokens stay
// valid.
func TestGuard_tokensFileChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		var log bytes.Buffer
		g := NewGuard(Tokens{File: path}, slog.New(slog.NewTextHandler(&log, nil)))
		try := func(token string) int {
			req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
			req.Header.Set("Authorization", "Bearer "+token)
			var p *problem.Problem
			if errors.As(g.Admit(req), &p) {
				return p.Status
			}
			return http.StatusOK
		}
		expect := func(when string, oldStatus, newStatus int) {
			t.Helper()
			if o, n := try(oldToken), try(newToken); o != oldStatus || n != newStatus {
				t.Errorf("%s: status %d and %d, want %d and %d\n%s", when, o, n, oldStatus, newStatus, &log)
			}
		}
		expect("before there is a file", 503, 503)
		expect("again at once", 503, 503)
		if n := strings.Count(log.String(), "cannot read tokens"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, &log)
		}
		time.Sleep(checkInterval)
		expect("a second later", 503, 503)
		if n := strings.Count(log.String(), "cannot read tokens"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, &log)
		}

		write(t, path, oldToken)
		expect("not checked yet", 503, 503)
		time.Sleep(checkInterval)
		expect("the file exists", 200, 401)

		write(t, path, oldToken+"\n"+newToken)
		expect("not checked yet", 200, 401)
		time.Sleep(checkInterval)
		expect("both tokens", 200, 200)

		log.Reset()
		write(t, path, "")
		time.Sleep(checkInterval)
		expect("half written", 200, 200)
		if !strings.Contains(log.String(), "no tokens found") || !strings.Contains(log.String(), "keeping_previous=true") {
			t.Errorf("log %s", &log)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval)
		expect("removed", 200, 200)

		write(t, path, newToken)
		time.Sleep(checkInterval)
		expect("the new token only", 401, 200)

		// A file that looks the same is read again after a minute.
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, oldToken)
		if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval)
		expect("same size and time", 401, 200)
		time.Sleep(rereadInterval)
		expect("a minute later", 200, 401)
	})
}

// FuzzTokens checks that each token is a line of the file, and is admitted.
func FuzzTokens(f *testing.F) {
	f.Add("# comment\n\n" + oldToken + "\r\n" + newToken)
	f.Add("short")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := ParseTokens(strings.Split(text, "\n"))
		if (err == nil) != (len(tokens) > 0) {
			t.Fatalf("%d tokens, error %v", len(tokens), err)
		}
		g := Guard{own: tokens}
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if err != nil || line == "" || line[0] == '#' {
				continue
			}
			req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
			req.Header["Authorization"] = []string{"Bearer " + line}
			if err := g.Admit(req); err != nil {
				t.Errorf("%q is not admitted: %v", line, err)
			}
		}
	})
}

// Printed settings show no token.
func TestParseTokens_keepsOnlyHashes(t *testing.T) {
	tokens, err := ParseTokens([]string{ownToken})
	if err != nil || tokens[0] != sha256.Sum256([]byte(ownToken)) || strings.Contains(fmt.Sprintf("%v %+v %s", tokens, tokens, tokens), ownToken) {
		t.Errorf("%v, %v", tokens, err)
	}
}
