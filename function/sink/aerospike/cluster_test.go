package aerospike

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/function/sink"
)

// registry has only this package's sinks.
var registry = sink.NewRegistry(sink.Kind{Scheme: "aerospike", Example: "aerospike://HOST:PORT/NAMESPACE", Parse: Parse})

func TestParse_invalid(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"aerospike://h/n", "want mode=raw"},
		{"aerospike://h/n?mode=row", "invalid mode=row"},
		{"aerospike://h?mode=records", "want aerospike://HOST:PORT/NAMESPACE"},
		{"aerospike:///n?mode=records", `invalid host ""`},
		{"aerospike://h/n/s/t?mode=raw", "want aerospike://HOST:PORT/NAMESPACE"},
		{"aerospike://h/n?mode=raw", "needs a set of its own"},
		{"aerospike://h/n/s?mode=records", "leave out /s"},
		{"aerospike://h:0/n?mode=records", `invalid host "h:0"`},
		{"aerospike://h:70000/n?mode=records", `invalid host "h:70000"`},
		{"aerospike://h:3000,/n?mode=records", `invalid host ""`},
		{"aerospike://h,[::1/n?mode=records", `invalid host "[::1"`},
		{"aerospike://h,::1/n?mode=records", `invalid host "::1"`},
		{"aerospike://h,[host]/n?mode=records", `invalid host "[host]"`},
		{"aerospike://u:secret@h/n?mode=records", "neither user nor fragment"},
		{"aerospike://h,u:secret@g/n?mode=records", "neither user nor fragment"},
		{"aerospike://h/" + strings.Repeat("n", 32) + "?mode=records", "has 32 bytes, and Aerospike takes 31"},
		{"aerospike://h/n/" + strings.Repeat("s", 64) + "?mode=raw", "has 64 bytes, and Aerospike takes 63"},
		{"aerospike://h/n?mode=records&connections=0", "invalid number connections=0"},
		{"aerospike://h/n?mode=records&ca-file=/ca", "add tls=on"},
		{"aerospike://h/n?mode=records&tls=yes", "invalid tls=yes"},
		{"aerospike://h/n?mode=records&tls=on&cert-file=/c", "cert-file and key-file belong together"},
		{"aerospike://h/n?mode=records&user=u", "user and password-file belong together"},
		{"aerospike://h/n?mode=records&password-file=/p", "user and password-file belong together"},
		{"aerospike://h/n?mode=records&auth=external&user=u&password-file=/p", "needs tls=on"},
		{"aerospike://h/n?mode=records&auth=pki", "needs tls=on, cert-file and key-file"},
		{"aerospike://h/n?mode=records&auth=pki&tls=on&cert-file=/c&key-file=/k&user=u&password-file=/p", "leave out user and password-file"},
		{"aerospike://h/n?mode=records&password=secret", "unknown parameter password"},
		{"aerospike://h/n?mode=records&versions=", "invalid versions="},
		{"aerospike://h/n?mode=records&versions=" + strings.Repeat("v", 64), "want the name of a set"},
		{"aerospike://h/n?mode=records&versions-ttl=remaining", "invalid versions-ttl"},
		{"aerospike://h/n?mode=records&ttl=1ms", "invalid ttl=1ms"},
		{"aerospike://h/n?mode=records&ttl=1500ms", "invalid ttl=1500ms"},
		{"aerospike://h/n?mode=records&ttl=100000h", "invalid ttl=100000h"},
		{"aerospike://h/n?mode=records&durable-delete=yes", "invalid durable-delete=yes"},
		{"aerospike://h/n?mode=records&write=merge", "invalid write=merge"},
		{"aerospike://h/n?mode=records&rate=-1", "invalid number rate=-1"},
		{"aerospike://h/n?mode=records&loop=yes", "invalid loop=yes"},
		{"aerospike://h/n/s?mode=raw&versions=v", "unknown parameter versions"},
		{"aerospike://h/n?mode=records&tls=on&tls=off", "parameter tls twice"},
	} {
		_, err := registry.Parse(tt.url, sink.Options{Timeout: time.Second})
		switch {
		case err == nil || !strings.Contains(err.Error(), tt.err):
			t.Errorf("%s: error %v, want one that says %q", tt.url, err, tt.err)
		case strings.Contains(err.Error(), "u:secret"):
			t.Errorf("%s: the error has the password: %v", tt.url, err)
		}
	}
}

func TestParse_bins(t *testing.T) {
	for url, want := range map[string]bool{"aerospike://h/n?mode=records": true, "aerospike://h/n/s?mode=raw": false} {
		spec, err := registry.Parse(url, sink.Options{Timeout: time.Second})
		if err != nil || spec.Bins != want || spec.URL != url {
			t.Errorf("%s: bins %t, URL %s, %v", url, spec.Bins, spec.URL, err)
		}
	}
}

func TestParseCluster_hosts(t *testing.T) {
	for _, tt := range []struct{ url, hosts, tlsNames string }{
		{"aerospike://db/n", "db:3000", ""},
		{"aerospike://db:3100/n", "db:3100", ""},
		{"aerospike://a:1,b,c:3/n", "a:1 b:3000 c:3", ""},
		{"aerospike://[::1]:3100,[fe80::2],10.0.0.1/n", "[::1]:3100 [fe80::2]:3000 10.0.0.1:3000", ""},
		{"aerospike://db,10.0.0.1:5/n?tls=on", "db:4333 10.0.0.1:5", "db"},
		{"aerospike://a,b/n?tls=on&tls-name=cluster", "a:4333 b:4333", "cluster cluster"},
	} {
		u, err := sink.ParseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		q := sink.NewQuery(u)
		c := ParseCluster(u, q, time.Second)
		if err := q.End(); err != nil {
			t.Errorf("%s: %v", tt.url, err)
		}
		var names []string
		for _, h := range c.Hosts {
			names = append(names, h.TLSName)
		}
		if hosts := strings.ReplaceAll(c.Address(), ",", " "); hosts != tt.hosts || strings.TrimSpace(strings.Join(names, " ")) != tt.tlsNames {
			t.Errorf("%s: hosts %s, TLS names %q", tt.url, hosts, names)
		}
		if c.Namespace != "n" || c.Set != "" {
			t.Errorf("%s: namespace %q, set %q", tt.url, c.Namespace, c.Set)
		}
	}
}

func TestReadPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for content, want := range map[string]string{"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", " sp ace ": " sp ace ", "": "", "\n": "", strings.Repeat("x", 5000): ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		password, err := readPassword(path)
		if password != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: password %.20q, %v", content, password, err)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "xxxx")) {
			t.Errorf("%.20q: error %.200v", content, err)
		}
	}
}

// What the URL says reaches the client.
func TestCluster_policy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := sink.ParseURL("aerospike://h/n?tls=on&auth=external&user=u&password-file=" + path + "&connections=7&services=alternate&cluster-name=c")
	if err != nil {
		t.Fatal(err)
	}
	q := sink.NewQuery(u)
	c := ParseCluster(u, q, time.Second)
	p, err := c.policy()
	if err != nil || q.End() != nil {
		t.Fatal(err, q.End())
	}
	got := fmt.Sprint(p.User, p.Password, p.AuthMode == as.AuthModeExternal, p.ConnectionQueueSize, p.UseServicesAlternate, p.ClusterName, p.TlsConfig != nil, p.LimitConnectionsToQueueSize)
	if want := fmt.Sprint("u", "secret", true, 7, true, "c", true, true); got != want {
		t.Errorf("policy %s, want %s", got, want)
	}
}
