package strict

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// placeholder matches what other programs replace: ${NAME}, perhaps with a default, and
// {{ TEMPLATE }}.
var placeholder = regexp.MustCompile(`(\$\{[A-Za-z_][A-Za-z0-9_]*)[^}]*\}|\{\{[^{}]*\}\}`)

// Placeholder returns the first placeholder in the value n, "" if there is none. It leaves
// out the default, which may be a secret.
func Placeholder(n *yaml.Node) string {
	n = Resolve(n)
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	found := placeholder.FindStringSubmatch(n.Value)
	switch {
	case found == nil:
		return ""
	case strings.HasPrefix(found[0], "$"):
		return found[1] + "}"
	}
	return found[0]
}

// checkPlaceholder warns about a placeholder in a value that is used as a text.
func (s *Section) checkPlaceholder(path string, n *yaml.Node) {
	if name := Placeholder(n); name != "" {
		s.Doc.Warn(path, n, "nothing is substituted for %s, which is used as it stands; write the value itself, or for a header {file: PATH}", name)
	}
}
