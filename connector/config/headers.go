package config

import (
	"net/http"
	"slices"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// Headers that cannot be set: those that the connector sets itself, and those that belong
// to a connection and not to a request (RFC 9110, 7.6.1).
var (
	ours        = []string{"Content-Length", "Content-Encoding", "Host"}
	connections = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
)

// Names under headers with a meaning of their own, in canonical form. The first is a switch
// of ESP, which is true to send the second.
const (
	digestSwitch = "Send-Digest-Header"
	digestHeader = "Aerosink-Digest"
	contentType  = "Content-Type"
)

// facts are the values that a header may have, by their words in the configuration.
var facts = map[string]post.Fact{
	"namespace": post.FactNamespace, "set": post.FactSet, "digest": post.FactDigest, "count": post.FactCount, "format": post.FactFormat,
}

// headers reads headers. The value of a name is a text, a list of texts, {value: FACT} or
// {file: PATH}.
func headers(s *section) []post.Header {
	var list []post.Header
	keys := map[string]string{} // by the header that they set
	for _, name := range s.Keys {
		canonical := http.CanonicalHeaderKey(name)
		sets := canonical
		if canonical == digestSwitch {
			sets = digestHeader
		}
		if other, ok := keys[sets]; ok {
			s.Error(name, "sets the same header as %s; remove one, or write a list of values", other)
			continue
		}
		keys[sets] = name
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			s.Error(name, "not a valid name of an HTTP header")
			s.Node(name)
			continue
		case canonical == contentType: // see mediaTypes
			continue
		case canonical == digestSwitch:
			if s.Bool(name, false) {
				list = append(list, post.Header{Name: digestHeader, Of: post.FactDigest})
			}
			continue
		case slices.Contains(ours, canonical):
			s.Error(name, "is set by the connector itself")
		case slices.Contains(connections, canonical):
			s.Error(name, "belongs to the connection, not to a request; remove it")
		}
		list = append(list, header(s, name, canonical)...)
	}
	return list
}

func header(s *section, name, canonical string) []post.Header {
	if n := s.Node(name); n != nil && n.Kind == yaml.MappingNode {
		return dynamicHeader(s.Sub(name), canonical)
	}
	var list []post.Header
	for _, text := range headerTexts(s, name) {
		list = append(list, post.Header{Name: canonical, Text: text})
	}
	isPlaceholder := func(n *yaml.Node) bool { return strict.Placeholder(n) != "" }
	if slices.Contains([]string{"Authorization", "X-Api-Key", "X-Serverless-Authorization"}, canonical) && !slices.ContainsFunc(s.List(name), isPlaceholder) {
		s.Warn(name, "a secret in the configuration; put it into a file, and write {file: PATH}")
	}
	return list
}

// headerTexts returns the texts of a header. A boolean is not one: under headers it is a
// switch, of which send-digest-header is the only known.
func headerTexts(s *section, name string) []string {
	for _, n := range s.List(name) {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
			s.Error(name, "%s is a switch, and no switch of this name is known; to send it as a text, write \"%s\"", n.Value, n.Value)
			return nil
		}
	}
	texts := s.Texts(name)
	for _, text := range texts {
		if !httpguts.ValidHeaderFieldValue(text) {
			s.Error(name, "not a valid value of an HTTP header")
		}
	}
	return texts
}

// dynamicHeader reads a header whose value is a fact about the request or the content of a
// file.
func dynamicHeader(s *section, canonical string) []post.Header {
	defer s.End()
	h := post.Header{Name: canonical}
	word := s.Word("value", "", "namespace", "set", "digest", "count", "format")
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
