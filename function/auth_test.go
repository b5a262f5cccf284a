package function

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/problem"
	"github.com/aerosink/aerosink/function/settings"
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

// receiverOfVariables returns a Receiver with these environment variables, and its log.
func receiverOfVariables(t *testing.T, variables map[string]string) (*Receiver, *changetest.Output) {
	t.Helper()
	var log changetest.Output
	e := settings.Environment{Getenv: func(name string) string { return variables[name] }, Sinks: google.Sinks()}
	r := New(e, NewLogger(&log, e))
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

func TestServeHTTP_tokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "# rotated on Mondays\n\n"+oldToken+"\r\n  "+newToken+"\n")
	r, log := receiverOfVariables(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS_FILE": path, "AUTH_TOKENS": " , " + ownToken})
	for _, tt := range []struct {
		method, path  string
		authorization []string
		status        int
	}{
		{"POST", "/", []string{"Bearer " + oldToken}, 200},
		{"POST", "/", []string{"bearer  " + newToken}, 200},
		{"POST", "/", []string{"BEARER " + ownToken}, 200},
		{"GET", "/readyz", []string{"Bearer " + ownToken}, 200},
		{"GET", "/other", []string{"Bearer " + ownToken}, 404},
		{"GET", "/metrics", []string{"Bearer " + ownToken}, 404},
		{"POST", "/other", []string{"Bearer " + ownToken}, 404},

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
		{"POST", "/healthz", nil, 405},
		{"GET", "/readyz", nil, 401},
		{"GET", "/metrics", nil, 401},
		{"GET", "/other", nil, 401},
	} {
		w := ask(r, tt.method, tt.path, tt.authorization...)
		if w.Code != tt.status {
			t.Errorf("%s %s with %q: status %d, want %d", tt.method, tt.path, tt.authorization, w.Code, tt.status)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got == "Bearer") != (tt.status == 401) {
			t.Errorf("%s %s with %q: WWW-Authenticate %q", tt.method, tt.path, tt.authorization, got)
		}
		if w.Code == 401 && w.Header().Get("Content-Type") != problem.MediaType {
			t.Errorf("the answer is not a problem: %s", w.Body)
		}
	}
	if strings.Contains(log.String(), "0123456789abcdef") {
		t.Errorf("a token in the log: %s", log.String())
	}
}

// Without a token, the body is neither read nor asked for, and the answer says nothing about
// the configuration.
func TestServeHTTP_authorizationComesFirst(t *testing.T) {
	r, _ := receiverOfVariables(t, map[string]string{"SINKS": "kafka://secret", "AUTH_TOKENS": ownToken})
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

// Invalid tokens never admit anybody.
func TestServeHTTP_invalidTokensAdmitNobody(t *testing.T) {
	for _, value := range []string{",", "#" + oldToken, "short", oldToken + ",short"} {
		r, _ := receiverOfVariables(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS": value})
		if w := ask(r, http.MethodPost, "/", "Bearer "+oldToken); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "environment: AUTH_TOKENS: ") {
			t.Errorf("%q: status %d: %s", value, w.Code, w.Body)
		}
	}
}
