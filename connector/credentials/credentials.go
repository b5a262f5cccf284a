// Package credentials names the file of Google's Application Default Credentials
// (https://cloud.google.com/docs/authentication/application-default-credentials), whose name
// is missing from most errors of Google's libraries.
package credentials

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"cloud.google.com/go/auth/credentials"
)

// variable is the environment variable that names the file.
const variable = "GOOGLE_APPLICATION_CREDENTIALS"

// File returns the file from which Google's libraries read credentials, as it should stand in
// an error, or "" if there is none: they then ask the metadata server of the machine.
func File() string {
	if path := os.Getenv(variable); path != "" {
		return variable + "=" + path
	}
	path := userFile()
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// userFile returns the path to which "gcloud auth application-default login" writes.
func userFile() string {
	const name = "application_default_credentials.json"
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("APPDATA"), "gcloud", name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "gcloud", name)
}

// Check returns an error if there is a file of credentials that cannot be used. It connects
// to nothing. If the environment variable emulator is set, a client connects to an emulator,
// which needs no credentials, and there is no error.
func Check(emulator string) error {
	file := File()
	if file == "" || os.Getenv(emulator) != "" {
		return nil
	}
	// With a self-signed JWT, the private key is parsed at once.
	options := &credentials.DetectOptions{Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}, UseSelfSignedJWT: true}
	if _, err := credentials.DetectDefault(options); err != nil {
		return fmt.Errorf("read credentials from %s: %w", file, err)
	}
	return nil
}
