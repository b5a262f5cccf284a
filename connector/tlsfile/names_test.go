package tlsfile_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/tlsfile"
)

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		words          string
		oldest, newest uint16
		err            string
	}{
		{"", 0, 0, ""},
		{"TLSv1.2", tls.VersionTLS12, tls.VersionTLS12, ""},
		{"tlsv1.3 TLS1.2", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"1.3", tls.VersionTLS13, tls.VersionTLS13, ""},
		{"TLSv1.2 TLSv1.1", 0, 0, `invalid protocol "TLSv1.1": want TLSv1.2 or TLSv1.3`},
		{"TLSv1", 0, 0, "older ones are insecure"},
		{"SSLv3", 0, 0, "older ones are insecure"},
	} {
		oldest, newest, err := tlsfile.Versions(strings.Fields(tt.words))
		if oldest != tt.oldest || newest != tt.newest || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %x, %x, %v", tt.words, oldest, newest, err)
		}
	}
}

func TestCipher(t *testing.T) {
	for _, tt := range []struct {
		name  string
		id    uint16
		fixed bool
		err   string
	}{
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false, ""},
		{"tls_ecdhe_ecdsa_with_chacha20_poly1305_sha256", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false, ""},
		{"TLS_AES_128_GCM_SHA256", 0, true, "cannot be chosen"},
		{"TLS_RSA_WITH_RC4_128_SHA", 0, false, "insecure cipher suite"},
		{"TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 0, false, "unsupported cipher suite"},
	} {
		id, err := tlsfile.Cipher(tt.name)
		if id != tt.id || tlsfile.IsFixedCipher(err) != tt.fixed || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %x, %v", tt.name, id, err)
		}
	}
}
