package config

import (
	"net/http"
	"slices"

	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver/post"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"
)

// Headers that cannot be set: those that the connector sets itself, and those that belong
// to a connection and not to a request (RFC 9110, 7.6.1).
var (
	ours        = []string{"Content-Type", "Content-Length", "Content-Encoding", "Host"}
	connections = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
)

// facts are the values that a header may have, by their words in the configuration.
var facts = map[string]post.Fact{
	"namespace": post.FactNamespace, "set": post.FactSet, "count": post.FactCount, "format": post.FactFormat,
}

// headers reads headers. The value of a name is a text, a list of texts, {value: FACT} or
// {file: PATH}.
func headers(s *section) []post.Header {
	var list []post.Header
	for _, name := range s.Keys {
		canonical := http.CanonicalHeaderKey(name)
		values := header(s, name, canonical)
		if !httpguts.ValidHeaderFieldName(name) {
			s.Error(name, "not a valid name of an HTTP header")
			continue
		}
		switch {
		case slices.Contains(ours, canonical):
			s.Error(name, "is set by the connector itself")
		case slices.Contains(connections, canonical):
			s.Error(name, "belongs to the connection, not to a request; remove it")
		}
		list = append(list, values...)
	}
	return list
}

func header(s *section, name, canonical string) []post.Header {
	if n := s.Node(name); n != nil && n.Kind == yaml.MappingNode {
		return dynamicHeader(s.Sub(name), canonical)
	}
	var list []post.Header
	for _, text := range s.Texts(name) {
		if !httpguts.ValidHeaderFieldValue(text) {
			s.Error(name, "not a valid value of an HTTP header")
		}
		list = append(list, post.Header{Name: canonical, Text: text})
	}
	isPlaceholder := func(n *yaml.Node) bool { return strict.Placeholder(n) != "" }
	if slices.Contains([]string{"Authorization", "X-Api-Key", "X-Serverless-Authorization"}, canonical) && !slices.ContainsFunc(s.List(name), isPlaceholder) {
		s.Warn(name, "a secret in the configuration; put it into a file, and write {file: PATH}")
	}
	return list
}

// dynamicHeader reads a header whose value is a fact about the request or the content of a
// file.
func dynamicHeader(s *section, canonical string) []post.Header {
	defer s.End()
	h := post.Header{Name: canonical}
	word := s.Word("value", "", "namespace", "set", "count", "format")
	switch {
	case s.Has("value") == s.Has("file"):
		s.Doc.Error(s.Path, s.Position(), "needs either a value or a file: {value: namespace} or {file: PATH}")
	case s.Has("value"):
		h.Of = facts[word]
	default:
		h.Of, h.Secret = post.FactSecret, s.secret("file")
	}
	return []post.Header{h}
}
