package tlsfile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Versions returns the oldest and the newest of the versions in words, which are written as
// in Java (TLSv1.2) or otherwise (tls1.2, 1.2). Versions before 1.2 are insecure, and an
// error.
func Versions(words []string) (oldest, newest uint16, err error) {
	known := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	for _, word := range words {
		number := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(word), "tls"), "v")
		v, ok := known[number]
		if !ok {
			return 0, 0, fmt.Errorf("invalid protocol %q: want TLSv1.2 or TLSv1.3; older ones are insecure", word)
		}
		if oldest == 0 || v < oldest {
			oldest = v
		}
		newest = max(newest, v)
	}
	return oldest, newest, nil
}

// errFixedCipher is the error for a cipher suite that cannot be chosen.
var errFixedCipher = errors.New("cipher suites of TLS 1.3 are always enabled, and cannot be chosen")

// IsFixedCipher reports whether err is about a cipher suite of TLS 1.3.
func IsFixedCipher(err error) bool { return errors.Is(err, errFixedCipher) }

// Cipher returns the cipher suite of TLS 1.2 with that IANA name, which is also Java's.
func Cipher(name string) (uint16, error) {
	name = strings.ToUpper(name)
	for _, s := range tls.CipherSuites() {
		if s.Name != name {
			continue
		}
		if !slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			return 0, errFixedCipher
		}
		return s.ID, nil
	}
	for _, s := range tls.InsecureCipherSuites() {
		if s.Name == name {
			return 0, fmt.Errorf("insecure cipher suite %s", name)
		}
	}
	return 0, fmt.Errorf("unsupported cipher suite %q of TLS 1.2", name)
}
