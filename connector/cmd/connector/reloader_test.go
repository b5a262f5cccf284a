package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/config"
)

// Certificates are reloaded by themselves after their files have changed, and an error is
// logged once.
func TestReloader_followsCertificates(t *testing.T) {
	folder := t.TempDir()
	ours, soon := changetest.NewAuthority(t), time.Now().Add(time.Hour)
	cert, key := ours.Write(t, folder, "server", "first", soon)
	synctest.Test(t, func(t *testing.T) {
		c, err := config.Parse([]byte(`
service: {tls: {port: 1, cert-file: server.crt, key-file: server.key}}
destinations: {a: {urls: ["http://b"]}}
routing: {mode: skip}
`), folder)
		if err != nil {
			t.Fatal(err)
		}
		var out changetest.Output
		r := reloader{config: c, log: &log{Logger: slog.New(slog.NewTextHandler(&out, nil))}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.run(ctx, nil)
		}()
		loaded := c.CertificatesLoaded()["service.tls"]
		wait := func() {
			time.Sleep(checkInterval)
			synctest.Wait()
		}
		for range 3 {
			wait()
		}
		if now := c.CertificatesLoaded()["service.tls"]; now != loaded || out.String() != "" {
			t.Errorf("nothing changed, but the files were loaded at %s, and again at %s:\n%s", loaded, now, out.String())
		}
		ours.Write(t, folder, "server", "second", soon)
		wait()
		if now := c.CertificatesLoaded()["service.tls"]; !now.After(loaded) || strings.Count(out.String(), "certificates reloaded") != 1 || !strings.Contains(out.String(), "sections=service.tls") {
			t.Errorf("the new certificate was not loaded:\n%s", out.String())
		}
		whole, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, key, whole[:20])
		for range 3 {
			wait()
		}
		if n := strings.Count(out.String(), "cannot reload some certificates"); n != 1 || !strings.Contains(out.String(), cert) {
			t.Errorf("a file that cannot be read is logged %d times:\n%s", n, out.String())
		}
		write(t, key, whole)
		wait()
		if n := strings.Count(out.String(), "certificates reloaded"); n != 2 {
			t.Errorf("reloaded %d times, want 2:\n%s", n, out.String())
		}
		if expiry := c.Certificates()["service.tls"]; expiry.IsZero() {
			t.Errorf("the certificate expires at %s", expiry)
		}
		stop()
		<-ended
	})
}
