package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// check -connect makes a health check of each URL, and says what it found.
func TestCheck_connect(t *testing.T) {
	statuses := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("X-Team") != "data" || !strings.HasPrefix(r.UserAgent(), "aerosink-connector/") {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			t.Error(err)
		}
		if status == http.StatusMovedPermanently {
			w.Header().Set("Location", "https://there.example/in?key=secret")
		}
		w.WriteHeader(status)
	}))
	statuses.Config.Protocols = new(http.Protocols)
	statuses.Config.Protocols.SetUnencryptedHTTP2(true)
	statuses.Start()
	t.Cleanup(statuses.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	gone := "http://" + closed.Addr().String()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "empty"), nil)
	for _, tt := range []struct {
		name, url, more string
		want            string
		failed          bool
	}{
		{"success", statuses.URL + "/200?key=secret", "", "note: destinations.a.urls[0]: answers a GET with status 200 OK\n", false},
		{"GET not allowed", statuses.URL + "/405", "", "note: destinations.a.urls[0]: answers a GET with status 405 Method Not Allowed\n", false},
		{"health checks disabled", statuses.URL + "/204", ", health-check: {enabled: false}", "note: destinations.a.urls[0]: answers a GET with status 204 No Content\n", false},
		{"not found", statuses.URL + "/404", "", "warning: destinations.a.urls[0]: answers a GET with status 404 Not Found; check the path\n", false},
		{"forbidden", statuses.URL + "/403", "", "warning: destinations.a.urls[0]: answers a GET with status 403 Forbidden; check the token and who may call it\n", false},
		{"redirect", statuses.URL + "/301", "", "warning: destinations.a.urls[0]: answers a GET with status 301 Moved Permanently, to https://there.example/in; redirects are not followed, so name the URL", false},
		{"unhealthy", statuses.URL + "/503?key=secret", "", "error: destinations.a.urls[0]: GET " + statuses.URL + "/503: status 503 Service Unavailable\n", true},
		{"refused", gone, "", "error: destinations.a.urls[0]: GET " + gone + ": dial tcp " + closed.Addr().String() + ": connect: connection refused\n", true},
		{"another protocol", statuses.URL + "/200", ", protocol: HTTP_1_1", "error: destinations.a.urls[0]: GET " + statuses.URL + "/200: ", true},
		{"invalid configuration", statuses.URL + "/200", ", call-timeout: soon", "note: destinations: not connected to, because of the errors\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(folder, "connector.yml")
			write(t, path, fmt.Appendf(nil, "service: {port: 1, address: 127.0.0.1}\ndestinations: {a: {urls: [%q], headers: {X-Team: data}%s}}\nrouting: {mode: static, destination: a}\n", tt.url, tt.more))
			var out bytes.Buffer
			err := run(t.Context(), []string{"check", "-connect", "-config", path}, &out, io.Discard)
			if (err != nil) != tt.failed || !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "secret") {
				t.Errorf("%s, error %v, want %q", out.String(), err, tt.want)
			}
		})
	}
}

// Without a token the check is made all the same, in time of its own.
func TestCheck_connectWithoutToken(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(there.Close)
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1") // where nothing listens
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
	path := filepath.Join(t.TempDir(), "connector.yml")
	write(t, path, fmt.Appendf(nil, "service: {port: 1, address: 127.0.0.1}\ndestinations: {a: {urls: [%q], protocol: HTTP_1_1, health-check: {call-timeout: 500}, auth: {mode: google-id-token}}}\nrouting: {mode: static, destination: a}\n", there.URL))
	var out bytes.Buffer
	err := run(t.Context(), []string{"check", "-connect", "-config", path}, &out, io.Discard)
	for _, want := range []string{"warning: destinations.a.urls[0]: no token: ", "warning: destinations.a.urls[0]: answers a GET with status 401 Unauthorized; check the token", ": no errors, 2 warnings\n"} {
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s, error %v, want %q", out.String(), err, want)
		}
	}
}

// The table of all findings stays complete: each is printed once, of all URLs.
func TestCheck_connectSeveral(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(there.Close)
	path := filepath.Join(t.TempDir(), "connector.yml")
	write(t, path, fmt.Appendf(nil, "service: {port: 1, address: 127.0.0.1}\ndestinations: {b: {urls: [\"%[1]s/1\", \"%[1]s/2\"], protocol: HTTP_1_1}, a: {urls: [\"%[1]s/3\"], protocol: HTTP_1_1}}\nrouting: {mode: static-multi-destination, destinations: [a, b]}\n", there.URL))
	var out bytes.Buffer
	if err := run(t.Context(), []string{"check", "-connect", "-config", path}, &out, io.Discard); err != nil {
		t.Error(err)
	}
	want := "note: destinations.a.urls[0]: answers a GET with status 200 OK\nnote: destinations.b.urls[0]: answers a GET with status 200 OK\nnote: destinations.b.urls[1]: answers a GET with status 200 OK\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s, want %q", out.String(), want)
	}
}
