package deliver_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

func TestGoogleIDToken_serviceAccountKey(t *testing.T) {
	token := jwt(0, time.Hour, "one")
	var asked atomic.Int64
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_ = r.ParseForm()
		parts := strings.Split(r.Form.Get("assertion"), ".")
		claims, _ := base64.RawURLEncoding.DecodeString(parts[len(parts)/2])
		if !strings.Contains(string(claims), `"target_audience":"`+audience+`"`) {
			t.Errorf("claims %s", claims)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id_token":%q}`, token)
	}))
	t.Cleanup(google.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "connector@example.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": google.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	file := filepath.Join(t.TempDir(), "key.json")
	write(t, file, string(account))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)

	g := newTokenServer(t)
	g.want(token)
	d := authorized(t, g.url, auth.NewGoogleIDToken(audience))
	for range 3 {
		if err := send(d, alone, 0, "x").wait(t); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("%d tokens fetched, want 1", asked.Load())
	}
}

// A file of credentials that cannot be used is named.
func TestGoogleIDToken_brokenCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.json")
	for text, reason := range map[string]string{
		"{": "",
		`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`: "unsupported",
	} {
		write(t, file, text)
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
		_, err := auth.NewGoogleIDToken(audience).Authorization(t.Context())
		if want := "read credentials from GOOGLE_APPLICATION_CREDENTIALS=" + file + ": "; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: error %v, want %s… %s", text, err, want, reason)
		}
	}
}
