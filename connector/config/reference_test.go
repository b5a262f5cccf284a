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

// The reference is without fault, and warns of what it says is ignored and of
// nothing else.
func TestReference(t *testing.T) {
	c, err := Parse([]byte(unwritten(t)), Folder(t))
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
		t.Errorf("%d warnings, and %d keys are said to be ignored", len(c.Warnings), want)
	}
}

// Without what is ours, the keys at their defaults make no difference.
func TestReferenceDefaults(t *testing.T) {
	c, err := Parse([]byte(unwritten(t)), Folder(t))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Parse([]byte("destinations: {function: {urls: [\"https://a\"]}}\nrouting: {mode: static, destination: function}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	got, want := c.Service, plain.Service
	got.TLS, got.Manage, got.ManageTLS = TLSPorts{}, nil, TLSPorts{}
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

// unwritten returns the reference with its log in the configuration's folder, since
// not everybody may write to that of the system.
func unwritten(t *testing.T) string {
	t.Helper()
	text := strings.Replace(reference, "/var/log/", "", 1)
	if text == reference {
		t.Fatal("the reference has no log")
	}
	return text
}

// Every key that the code asks for is in the reference, and the reverse.
func TestReferenceHasEveryKey(t *testing.T) {
	if diff := cmp.Diff(asked(t), documented(t)); diff != "" {
		t.Errorf("keys (-the code asks for +the reference has):\n%s", diff)
	}
}

// asked returns the keys that the code asks for, without those that belong to what
// is refused.
func asked(t *testing.T) []string {
	t.Helper()
	keys := map[string]bool{}
	for _, text := range []string{reference, whole(t)} {
		_, doc, _ := parse([]byte(text), &found{folder: Folder(t)})
		for pattern := range doc.Known {
			keys[levelled(pattern)] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// levelled returns the pattern of a key at the root, in place of one at another
// level, and of a TLS section in place of one of another: what may stand in one of
// them may stand in all.
func levelled(pattern string) string {
	if _, inner, ok := strings.Cut(pattern, ".tls."); ok {
		return "tls." + inner
	}
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

// whole returns the reference with the keys in comments too.
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

// comments returns the comment behind each key of the whole reference; of a key
// that is there more than once, all of them.
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

// collector walks a document, and finds the pattern of each key.
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
		c.comments[levelled(key)] += comment + "\n"
		c.collect(n.Content[i+1], key)
	}
}
