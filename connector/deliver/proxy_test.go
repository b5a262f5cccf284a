package deliver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Both protocols follow the same rules for proxies: those for the URL of the destination.
func TestNewTransport_proxy(t *testing.T) {
	for name, value := range map[string]string{
		"HTTP_PROXY": "http://proxy.example:3128", "HTTPS_PROXY": "http://secure.example:3128", "NO_PROXY": "there.example:8443,fd00::/8,[2001:db8::1],10.0.0.0/8,.internal",
	} {
		t.Setenv(name, value)
		t.Setenv(strings.ToLower(name), value)
	}
	for at, want := range map[string]string{
		"https://there.example:8443/in":  "",
		"https://there.example/in":       "secure.example:3128",
		"https://other.example:8443/in":  "secure.example:3128",
		"https://[fd00::1]:8443/in":      "",
		"https://[fe80::1]:8443/in":      "secure.example:3128",
		"https://10.1.2.3:8443/in":       "",
		"https://[::1]:8443/in":          "",
		"https://127.0.0.1:8443/in":      "",
		"https://function.internal/in":   "",
		"http://other.example/in":        "proxy.example:3128",
		"http://there.example:8443/in":   "",
		"http://there.example:8080/in":   "proxy.example:3128",
		"https://localhost:8443/in?x=y":  "",
		"https://localhost.example/in#f": "secure.example:3128",
	} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, protocol := range []post.Protocol{post.HTTP1, post.HTTP2} {
			t.Run(fmt.Sprint(at, " protocol ", protocol), func(t *testing.T) {
				e := post.NewEndpoint(post.Config{Protocol: protocol, Connections: 1}, u)
				// Over HTTP/2 net/http asks for the host alone, without port and brackets.
				asked := &http.Request{URL: &url.URL{Scheme: u.Scheme, Host: u.Hostname(), Path: "/"}}
				proxy, err := e.NewTransport().Proxy(asked)
				got := ""
				if proxy != nil {
					got = proxy.Host
				}
				if err != nil || got != want {
					t.Errorf("proxy %q, %v, want %q", got, err, want)
				}
			})
		}
	}
}
