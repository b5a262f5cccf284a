package tlsfile_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/tlsfile"
)

// The certificates of the authority, the server and the client are replaced while requests
// run and a session stays open. No request fails, and the new certificates come into use.
func TestFiles_rotation(t *testing.T) {
	folder := t.TempDir()
	first, second := changetest.NewAuthority(t), changetest.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	ca := first.WriteCA(t, filepath.Join(folder, "ca.crt"))
	serverCert, serverKey := first.Write(t, folder, "server", "127.0.0.1", soon)
	clientCert, clientKey := first.Write(t, folder, "client", "node-1", soon)
	files := open(t, tlsfile.Source{CertFile: serverCert, KeyFile: serverKey, CAFile: ca})
	dialler := open(t, tlsfile.Source{CertFile: clientCert, KeyFile: clientKey, CAFile: ca})
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(r.TLS.PeerCertificates[0].RawIssuer)
	}))
	config, err := files.Server()
	if err != nil {
		t.Fatal(err)
	}
	there.Listener = tls.NewListener(there.Listener, config)
	there.Start()
	t.Cleanup(there.Close)
	address := "https://" + there.Listener.Addr().String()

	session := &http.Client{Transport: &http.Transport{TLSClientConfig: dialler.Client([]string{"127.0.0.1"})}}
	get(t, session, address)
	var stop atomic.Bool
	var requests atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; !stop.Load(); requests.Add(1) {
			get(t, &http.Client{Transport: &http.Transport{TLSClientConfig: dialler.Client([]string{"127.0.0.1"}), DisableKeepAlives: true}}, address)
		}
	}()
	reload := func() {
		for _, f := range []*tlsfile.Files{files, dialler} {
			if err := f.Reload(); err != nil {
				t.Error(err)
			}
		}
		begun := requests.Load()
		changetest.WaitFor(t, "a request after the files changed", func() bool { return requests.Load() > begun+1 })
	}
	// Both sides trust the new authority before either uses a certificate of it.
	oldCA, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	second.WriteCA(t, ca)
	newCA, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	write(t, ca, append(newCA, oldCA...))
	reload()
	second.Write(t, folder, "server", "127.0.0.1", soon)
	second.Write(t, folder, "client", "node-1", soon)
	reload()
	write(t, ca, newCA)
	reload()
	stop.Store(true)
	<-ended
	get(t, session, address)
	conn, err := tls.Dial("tcp", there.Listener.Addr().String(), dialler.Client([]string{"127.0.0.1"}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].CheckSignatureFrom(second.Certificate); err != nil {
		t.Errorf("the server still uses its first certificate: %v", err)
	}
}

func get(t *testing.T, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
}

// If a file cannot be read, Reload keeps what was loaded before.
func TestFiles_reloadErrors(t *testing.T) {
	folder := t.TempDir()
	ours := changetest.NewAuthority(t)
	cert, key := ours.Write(t, folder, "server", "db.example", time.Now().Add(time.Hour))
	ca := ours.WriteCA(t, filepath.Join(folder, "ca.crt"))
	files := open(t, tlsfile.Source{CertFile: cert, KeyFile: key})
	config, err := files.Server()
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, tlsfile.Source{CAFile: ca}).Client(nil)
	write(t, key, []byte("half a key"))
	if err := files.Reload(); err == nil || !strings.Contains(err.Error(), "server.crt") || strings.Contains(err.Error(), "half") {
		t.Errorf("error %v", err)
	}
	if _, err := talk(t, client, config, "db.example"); err != nil {
		t.Errorf("after a reload that failed: %v", err)
	}
}
