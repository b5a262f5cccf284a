package credentials

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const emulator = "STORAGE_EMULATOR_HOST"

// account returns a key file of a service account.
func account(t *testing.T, key string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "sink@example.iam.gserviceaccount.com", "private_key_id": "1",
		"token_uri": "http://127.0.0.1:1", "private_key": key,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func privateKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestCheck(t *testing.T) {
	t.Setenv(emulator, "")
	key := privateKey(t)
	for _, tt := range []struct{ name, text, err string }{
		{"a service account", account(t, key), ""},
		{"a user", `{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`, ""},
		{"not JSON", "secret", "invalid character"},
		{"empty", "", "unexpected end of JSON input"},
		{"cut off", account(t, key)[:100], "unexpected end of JSON input"},
		{"another type", `{"type":"weird"}`, `unsupported filetype "weird"`},
		{"not credentials", `{}`, "unsupported unidentified file type"},
		{"no key", account(t, ""), "could not parse key"},
		{"a key cut off", account(t, key[:len(key)/2]), "could not parse key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(variable, path)
			wantError(t, Check(emulator), "read credentials from GOOGLE_APPLICATION_CREDENTIALS="+path+": ", tt.err)

			// gcloud writes to the home of the user.
			home := t.TempDir()
			path = filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(variable, "")
			t.Setenv("HOME", home)
			wantError(t, Check(emulator), "read credentials from "+path+": ", tt.err)
		})
	}
}

func wantError(t *testing.T, err error, prefix, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Error(err)
	case text != "" && (err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "secret")):
		t.Errorf("error %v, want %s… %s", err, prefix, text)
	}
}

func TestCheck_noFile(t *testing.T) {
	t.Setenv(emulator, "")
	path := filepath.Join(t.TempDir(), "none.json")
	t.Setenv(variable, path)
	wantError(t, Check(emulator), "read credentials from GOOGLE_APPLICATION_CREDENTIALS="+path+": ", "no such file")
	t.Setenv(emulator, "127.0.0.1:1")
	if err := Check(emulator); err != nil {
		t.Errorf("with an emulator: %v", err)
	}
	t.Setenv(emulator, "")
	t.Setenv(variable, "")
	t.Setenv("HOME", t.TempDir())
	if err := Check(emulator); err != nil || File() != "" {
		t.Errorf("%q, %v", File(), err)
	}
}
