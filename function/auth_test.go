package function

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

	"github.com/aerosink/aerosink/connector/change/changetest"
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

// receiverWith returns a Receiver with the variables, and its log.
func receiverWith(t *testing.T, variables map[string]string) (*Receiver, *changetest.Output) {
	t.Helper()
	var log changetest.Output
	getenv := func(name string) string { return variables[name] }
	r := New(getenv, NewLogger(&log, getenv))
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, &log
}

func ask(h http.Handler, method, path string, authorization ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, http.NoBody)
	req.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestAuth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "# rotated on Mondays\n\n"+oldToken+"\r\n  "+newToken+"\n")
	r, log := receiverWith(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS_FILE": path, "AUTH_TOKENS": " , " + ownToken})
	for _, tt := range []struct {
		method, path  string
		authorization []string
		status        int
	}{
		{"POST", "/", []string{"Bearer " + oldToken}, 200},
		{"POST", "/", []string{"bearer  " + newToken}, 200},
		{"POST", "/", []string{"BEARER " + ownToken}, 200},
		{"GET", "/readyz", []string{"Bearer " + ownToken}, 200},
		{"GET", "/elsewhere", []string{"Bearer " + ownToken}, 200},
		{"POST", "/elsewhere", []string{"Bearer " + ownToken}, 404},

		{"GET", "/", nil, 200},
		{"HEAD", "/", nil, 200},
		{"OPTIONS", "/", []string{"Bearer wrong"}, 200},
		{"GET", "/healthz", nil, 200},

		{"POST", "/", nil, 401},
		{"POST", "/", []string{""}, 401},
		{"POST", "/", []string{"Bearer"}, 401},
		{"POST", "/", []string{"Bearer "}, 401},
		{"POST", "/", []string{oldToken}, 401},
		{"POST", "/", []string{"Basic " + oldToken}, 401},
		{"POST", "/", []string{"Bearer\t" + oldToken}, 401},
		{"POST", "/", []string{"Bearer " + oldToken[1:]}, 401},
		{"POST", "/", []string{"Bearer " + oldToken + "x"}, 401},
		{"POST", "/", []string{"Bearer # rotated on Mondays"}, 401},
		{"POST", "/", []string{"Bearer " + oldToken, "Bearer " + oldToken}, 401},
		{"POST", "/healthz", nil, 401},
		{"GET", "/readyz", nil, 401},
		{"GET", "/metrics", nil, 401},
		{"GET", "/elsewhere", nil, 401},
	} {
		w := ask(r, tt.method, tt.path, tt.authorization...)
		if w.Code != tt.status {
			t.Errorf("%s %s with %q: status %d, want %d", tt.method, tt.path, tt.authorization, w.Code, tt.status)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got == "Bearer") != (tt.status == 401) {
			t.Errorf("%s %s with %q: WWW-Authenticate %q", tt.method, tt.path, tt.authorization, got)
		}
		if w.Code == 401 && w.Header().Get("Content-Type") != mediaProblem {
			t.Errorf("no problem: %s", w.Body)
		}
	}
	if strings.Contains(log.String(), "0123456789abcdef") {
		t.Errorf("a token in the log: %s", log.String())
	}
}

// A sender that may not come in has its body neither read nor asked for, and learns
// nothing of how the server is set up.
func TestAuthComesFirst(t *testing.T) {
	r, _ := receiverWith(t, map[string]string{"SINKS": "kafka://secret", "AUTH_TOKENS": ownToken})
	body := strings.NewReader("[]")
	req := httptest.NewRequest(http.MethodPost, "/", body)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "secret") || body.Len() != 2 {
		t.Errorf("status %d, %d bytes left: %s", w.Code, body.Len(), w.Body)
	}
	if w := ask(r, http.MethodGet, "/readyz", "Bearer "+ownToken); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "kafka") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestTokenFaults(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{"", "AUTH_TOKENS_FILE: no token is in it; make one with: openssl rand -hex 32"},
		{"# " + oldToken + "\n \n", "no token is in it"},
		{oldToken + "\nshort-secret\n", "token 2 has 12 bytes, fewer than 16; make one with: openssl rand -hex 32"},
		{"secret " + oldToken, "token 1 has white space in it"},
	} {
		path := filepath.Join(t.TempDir(), "AUTH_TOKENS_FILE")
		write(t, path, tt.text)
		_, err := readTokens(path)
		if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v, want one that says %q", tt.text, err, tt.err)
		}
	}
	// No fault of the tokens opens the door.
	for _, value := range []string{",", "#" + oldToken, "short", oldToken + ",short"} {
		r, _ := receiverWith(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS": value})
		if w := ask(r, http.MethodPost, "/", "Bearer "+oldToken); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "environment: AUTH_TOKENS: ") {
			t.Errorf("%q: status %d: %s", value, w.Code, w.Body)
		}
	}
}

// The file is read again when it has changed, and what it had counts for as long as
// it cannot be read.
func TestTokensChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		var log bytes.Buffer
		g := newGuard(nil, path, slog.New(slog.NewTextHandler(&log, nil)))
		try := func(token string) int {
			req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
			req.Header.Set("Authorization", "Bearer "+token)
			var p *problem
			if errors.As(g.admit(req), &p) {
				return p.Status
			}
			return http.StatusOK
		}
		expect := func(when string, old, young int) {
			t.Helper()
			if o, y := try(oldToken), try(newToken); o != old || y != young {
				t.Errorf("%s: status %d and %d, want %d and %d\n%s", when, o, y, old, young, &log)
			}
		}
		expect("before there is a file", 503, 503)
		expect("asked again at once", 503, 503)
		if n := strings.Count(log.String(), "tokens cannot be read"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &log)
		}
		time.Sleep(lookInterval)
		expect("a second later", 503, 503)
		if n := strings.Count(log.String(), "tokens cannot be read"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &log)
		}

		write(t, path, oldToken)
		expect("not looked yet", 503, 503)
		time.Sleep(lookInterval)
		expect("there is one", 200, 401)

		write(t, path, oldToken+"\n"+newToken)
		expect("not looked yet", 200, 401)
		time.Sleep(lookInterval)
		expect("both", 200, 200)

		log.Reset()
		write(t, path, "")
		time.Sleep(lookInterval)
		expect("half written", 200, 200)
		if !strings.Contains(log.String(), "no token is in it") || !strings.Contains(log.String(), "old_ones_count=true") {
			t.Errorf("log %s", &log)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookInterval)
		expect("gone", 200, 200)

		write(t, path, newToken)
		time.Sleep(lookInterval)
		expect("the new one alone", 401, 200)

		// A file that looks the same is read after a minute.
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, oldToken)
		if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookInterval)
		expect("it looks the same", 401, 200)
		time.Sleep(rereadInterval)
		expect("a minute later", 200, 401)
	})
}

// FuzzTokens holds that each token is a line of the file, and is let in.
func FuzzTokens(f *testing.F) {
	f.Add("# comment\n\n" + oldToken + "\r\n" + newToken)
	f.Add("short")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := parseTokens(strings.Split(text, "\n"))
		if (err == nil) != (len(tokens) > 0) {
			t.Fatalf("%d tokens and %v", len(tokens), err)
		}
		g := guard{own: tokens}
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if err != nil || line == "" || line[0] == '#' {
				continue
			}
			req := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
			req.Header["Authorization"] = []string{"Bearer " + line}
			if err := g.admit(req); err != nil {
				t.Errorf("%q is not let in: %v", line, err)
			}
		}
	})
}

// A configuration that is printed betrays no token.
func TestTokensAreNotKept(t *testing.T) {
	tokens, err := parseTokens([]string{ownToken})
	if err != nil || tokens[0] != sha256.Sum256([]byte(ownToken)) || strings.Contains(fmt.Sprintf("%v %+v %s", tokens, tokens, tokens), ownToken) {
		t.Errorf("%v, %v", tokens, err)
	}
}
