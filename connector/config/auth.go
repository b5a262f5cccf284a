package config

import (
	"net"
	"net/url"
	"strings"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// authSource reads how requests to a destination are authenticated. It returns nil if they
// are not.
func authSource(s *section, urls []*url.URL) auth.Source {
	a := s.Sub("auth")
	defer a.End()
	mode := a.Word("mode", "none", "google-id-token", "bearer", "none")
	audience, token := a.Text("audience", ""), a.secret("token-file")
	a.CheckEmpty("audience", "name it")
	if s.Has("auth") && !a.Has("mode") {
		a.Error("mode", "missing; write google-id-token, bearer or none")
	}
	if a.Has("audience") && mode != "google-id-token" {
		a.Error("audience", "belongs to mode google-id-token")
	}
	if a.Has("token-file") && mode != "bearer" {
		a.Error("token-file", "belongs to mode bearer")
	}
	if mode == "none" {
		return nil
	}
	checkCovered(a, "mode", urls)
	for _, name := range s.Dictionary("headers").Keys {
		if strings.EqualFold(name, "authorization") {
			a.Error("mode", "headers has %s too; keep one of the two", name)
		}
	}
	if mode == "google-id-token" {
		if audience == "" && len(urls) > 0 {
			audience = urls[0].Scheme + "://" + urls[0].Host
		}
		return auth.NewGoogleIDToken(audience)
	}
	if a.Nodes["token-file"] == nil {
		a.Error("token-file", "missing; name the file that holds the token")
	}
	if token == nil {
		return nil
	}
	return auth.Bearer{Token: token}
}

// checkCovered reports an error if key would send a secret in clear text to another machine.
func checkCovered(s *section, key string, urls []*url.URL) {
	for _, u := range urls {
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			s.Error(key, "a secret would go to http://%s in clear text; write https", u.Host)
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
