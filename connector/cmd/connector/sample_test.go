package main

import (
	"context"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/config"
)

// sampleESP is a configuration of Aerospike Connect for ESP.
const sampleESP = `
service:
  ports: [8080]
  manage: {ports: 8081}
logging: {file: /var/log/aerospike-esp-outbound/aerospike-esp-outbound.log}
destinations:
  aws-lambda:
    urls: [https://myapp.execute-api.ap-south-1.amazonaws.com]
    max-connections-per-endpoint: 100
    call-timeout: 10000
    connect-timeout: 2000
    health-check: {call-timeout: 3000, interval-seconds: 5000}
routing: {mode: static-multi-destination, destinations: [aws-lambda]}
format: json
`

// replacements keep a configuration within this machine and the test's own folder.
var replacements = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`(ports: )\[8080\]`), "${1}0\n  address: 127.0.0.1"},
	{regexp.MustCompile(`(ports?: )\[?\d+\]?`), "${1}0"},
	{regexp.MustCompile(`\b0\.0\.0\.0`), "127.0.0.1"},
	{regexp.MustCompile(`(manage: *\{)`), "${1}address: 127.0.0.1, "},
	{regexp.MustCompile(`https://[a-z0-9.-]+`), "https://127.0.0.1:1"},
	{regexp.MustCompile(`google-id-token.*\n *audience:.*`), "none"},
	{regexp.MustCompile(`file: /.*/([a-z-]+\.log)`), "file: FOLDER/$1"},
	{regexp.MustCompile(`(?s)port-based-config:.*?\n\n`), ""}, // its port is any free one now
}

// writeSecrets writes the files that the reference names.
func writeSecrets(t *testing.T, folder string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(folder, "secrets")
	ours, soon := changetest.NewAuthority(t), time.Now().Add(time.Hour)
	ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	ours.Write(t, folder, "server", "aerosink", soon)
	ours.Write(t, folder, "client", "connector", soon)
	cert, key := ours.Issue(t, "aerosink", soon)
	keys, err := pkcs12.Modern.Encode(key, cert, nil, "password")
	if err != nil {
		t.Fatal(err)
	}
	trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{ours.Certificate}, "password")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"server.p12": keys, "trust.p12": trust, "password": []byte("password"), "token": []byte("token")} {
		write(t, filepath.Join(folder, name), content)
	}
}

// The connector starts with a configuration of ESP, and with the reference.
func TestServe_samples(t *testing.T) {
	for name, text := range map[string]string{"ESP's sample": sampleESP, "the reference": config.Reference()} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			writeSecrets(t, folder)
			for _, r := range replacements {
				text = r.pattern.ReplaceAllString(text, r.replacement)
			}
			text = strings.ReplaceAll(text, "FOLDER", folder)
			path := filepath.Join(folder, "connector.yml")
			write(t, path, []byte(text))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, []string{"-config", path}, io.Discard, io.Discard) }()
			changetest.WaitFor(t, "connector started in the log", func() bool {
				if len(ended) > 0 {
					t.Fatal(<-ended)
				}
				logs, err := filepath.Glob(filepath.Join(folder, "*.log"))
				if err != nil || len(logs) == 0 {
					return false
				}
				text, err := os.ReadFile(logs[0])
				return err == nil && strings.Contains(string(text), "connector started")
			})
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
