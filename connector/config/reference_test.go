package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// The reference has no errors, and its only warnings are about the keys marked as ignored.
func TestReference_warnings(t *testing.T) {
	c, err := Parse([]byte(withLocalLog(t)), Folder(t))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(reference, "\n")
	for _, w := range c.Warnings {
		if !strings.Contains(lines[w.Line-1], "(ignored)") {
			t.Errorf("warning %s", w)
		}
	}
	if want := strings.Count(reference, "# (ignored)"); len(c.Warnings) != want {
		t.Errorf("%d warnings, want %d, one for each ignored key", len(c.Warnings), want)
	}
}

// The values in the reference are the defaults.
func TestReference_defaults(t *testing.T) {
	c, err := Parse([]byte(withLocalLog(t)), Folder(t))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Parse([]byte("destinations: {function: {urls: [\"https://a\"]}}\nrouting: {mode: static, destination: function}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	got, want := c.Service, plain.Service
	got.TLS, got.Manage, got.ManageTLS, got.Allow = TLSPorts{}, nil, TLSPorts{}, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("service (-default +reference):\n%s", diff)
	}
	d, e := plain.Destinations["function"], c.Destinations["function"]
	if diff := cmp.Diff([]any{d.Protocol, d.Gzip, d.GzipThreshold, d.Health, d.Connections, d.Streams, d.Queue, d.CallTimeout, d.ConnectTimeout, d.ConnectionTTL},
		[]any{e.Protocol, e.Gzip, e.GzipThreshold, e.Health, e.Connections, e.Streams, e.Queue, e.CallTimeout, e.ConnectTimeout, e.ConnectionTTL}); diff != "" {
		t.Errorf("destination (-default +reference):\n%s", diff)
	}
	if p, r := plain.Pipelines.Root, c.Pipelines.Root; p.Format != r.Format {
		t.Errorf("format %v, by default %v", r.Format, p.Format)
	}
}

// withLocalLog returns the reference with its log in the folder of the configuration, since
// the test may not be allowed to write to /var/log.
func withLocalLog(t *testing.T) string {
	t.Helper()
	text := strings.Replace(reference, "/var/log/", "", 1)
	if text == reference {
		t.Fatal("the reference has no log")
	}
	return text
}

// The reference has exactly the keys that the code asks for.
func TestReference_keys(t *testing.T) {
	if diff := cmp.Diff(asked(t), documented(t)); diff != "" {
		t.Errorf("keys (-the code asks for +the reference has):\n%s", diff)
	}
}

// asked returns the keys that the code asks for when it parses the reference, with and
// without the keys in comments.
func asked(t *testing.T) []string {
	t.Helper()
	keys := map[string]bool{}
	for _, text := range []string{reference, whole(t)} {
		_, doc, _ := parse([]byte(text), &found{folder: Folder(t)})
		for pattern := range doc.Known {
			keys[normalized(pattern)] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// normalized returns the pattern of a key as if it were at the root, and in a TLS section as
// if there were only one. All levels have the same keys, and so have all TLS sections.
func normalized(pattern string) string {
	if _, inner, ok := strings.Cut(pattern, ".tls."); ok {
		return "tls." + inner
	}
	pattern = strings.TrimPrefix(pattern, "port-based-config.*.")
	for _, level := range []string{"namespaces.*.sets.*.", "namespaces.*."} {
		if inner, ok := strings.CutPrefix(pattern, level); ok && inner != "sets" && inner != "sets.*" {
			return inner
		}
	}
	return pattern
}

var (
	commented = regexp.MustCompile(`(?m)^( *)#((?:  )*[a-z-]+:.*)$`)
	inPlace   = regexp.MustCompile(`(?m)^format: xdr.*\n`)
)

// whole returns the reference with the keys in comments uncommented.
func whole(t *testing.T) string {
	t.Helper()
	text := commented.ReplaceAllString(inPlace.ReplaceAllString(reference, "\n"), "$1$2")
	if strings.Count(text, "#") == strings.Count(reference, "#") {
		t.Fatal("no key is in a comment")
	}
	return text
}

// documented returns the keys of the whole reference.
func documented(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(comments(t)))
}

// comments returns the comment after each key of the whole reference. If a key occurs several
// times, it returns all its comments, each with a newline.
func comments(t *testing.T) map[string]string {
	t.Helper()
	text := whole(t)
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	_, doc, _ := parse([]byte(text), &found{folder: Folder(t)})
	c := collector{lines: strings.Split(text, "\n"), asked: doc.Known, comments: map[string]string{}}
	c.collect(node.Content[0], "")
	return c.comments
}

// collector walks a document and collects the comment of each key.
type collector struct {
	lines    []string
	asked    map[string]bool
	comments map[string]string // by pattern
}

func (c *collector) collect(n *yaml.Node, pattern string) {
	if n.Kind == yaml.SequenceNode {
		for _, element := range n.Content {
			c.collect(element, pattern)
		}
		return
	}
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		key := strict.Join(pattern, n.Content[i].Value)
		if name := strict.Join(pattern, "*"); c.asked[name] {
			key = name
		}
		_, comment, _ := strings.Cut(c.lines[n.Content[i].Line-1], "# ")
		c.comments[normalized(key)] += comment + "\n"
		c.collect(n.Content[i+1], key)
	}
}
