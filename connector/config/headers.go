package config

import (
	"net/http"
	"slices"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"
)

// Headers that cannot be chosen: what the connector says of a body and of where it
// goes, and what belongs to a connection and not to a request (RFC 9110, 7.6.1).
var (
	ours        = []string{"Content-Type", "Content-Length", "Content-Encoding", "Host"}
	connections = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
)

// facts are the words for what a header may tell.
var facts = map[string]post.Fact{
	"namespace": post.FactNamespace, "set": post.FactSet, "count": post.FactCount, "format": post.FactFormat,
}

// headers reads a name with a text, a list of texts, or a mapping: {value: FACT} or
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
			s.Error(name, "is HTTP's own, for a connection; remove it")
		}
		list = append(list, values...)
	}
	return list
}

func header(s *section, name, canonical string) []post.Header {
	if n := s.Node(name); n != nil && n.Kind == yaml.MappingNode {
		return told(s.Sub(name), canonical)
	}
	var list []post.Header
	for _, text := range s.Texts(name) {
		if !httpguts.ValidHeaderFieldValue(text) {
			s.Error(name, "its value cannot stand in an HTTP header")
		}
		list = append(list, post.Header{Name: canonical, Text: text})
	}
	if slices.Contains([]string{"Authorization", "X-Api-Key", "X-Serverless-Authorization"}, canonical) {
		s.Warn(name, "a secret in the configuration; put it into a file, and say {file: PATH}")
	}
	return list
}

// told reads a header that tells a fact or what a file holds.
func told(s *section, canonical string) []post.Header {
	defer s.End()
	h := post.Header{Name: canonical}
	word := s.Word("value", "", "namespace", "set", "count", "format")
	switch {
	case s.Has("value") == s.Has("file"):
		s.Doc.Error(s.Path, s.Position(), "says value or file, one of the two: {value: namespace} or {file: PATH}")
	case s.Has("value"):
		h.Of = facts[word]
	default:
		h.Of, h.Secret = post.FactSecret, s.secret("file")
	}
	return []post.Header{h}
}
