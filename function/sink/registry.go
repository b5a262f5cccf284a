package sink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/nearest"
)

// Registry holds the kinds of sinks that a program offers, by URL scheme. Each program
// fills its own, so that it links only the sinks it offers. The zero Registry is empty.
type Registry struct {
	kinds []Kind
}

// Kind describes the sinks of a URL scheme.
type Kind struct {
	Scheme  string
	Example string // of a URL, for errors: pubsub://PROJECT/TOPIC

	// Parse parses the URL of a sink.
	Parse func(u *url.URL, o Options) (Spec, error)

	// ReadObject returns the content of the object at a URL, at most limit bytes. It is nil
	// if the kind has no objects to read.
	ReadObject func(ctx context.Context, url string, limit int64) ([]byte, error)
}

// NewRegistry returns a registry of these kinds, in the order in which errors list them.
func NewRegistry(kinds ...Kind) Registry { return Registry{kinds} }

// With returns a registry that also has the kinds of other whose schemes r does not have.
func (r Registry) With(other Registry) Registry {
	kinds := slices.Clone(r.kinds)
	for _, k := range other.kinds {
		if _, ok := r.kind(k.Scheme); !ok {
			kinds = append(kinds, k)
		}
	}
	return Registry{kinds}
}

// Examples lists an example of a URL of each kind.
func (r Registry) Examples() string {
	var examples []string
	for _, k := range r.kinds {
		examples = append(examples, k.Example)
	}
	if len(examples) < 2 {
		return strings.Join(examples, "")
	}
	last := len(examples) - 1
	return strings.Join(examples[:last], ", ") + " and " + examples[last]
}

// Offered returns which of these schemes the program offers.
func (r Registry) Offered(schemes ...string) []string {
	return slices.DeleteFunc(slices.Clone(schemes), func(scheme string) bool {
		_, ok := r.kind(scheme)
		return !ok
	})
}

// Example returns the example of a URL of the first of these schemes that the program offers,
// or else of its first kind.
func (r Registry) Example(schemes ...string) string {
	for _, scheme := range schemes {
		if k, ok := r.kind(scheme); ok {
			return k.Example
		}
	}
	if len(r.kinds) == 0 {
		return ""
	}
	return r.kinds[0].Example
}

// Parse parses the URL of a sink, such as pubsub://PROJECT/TOPIC?ordering=256. Errors
// contain no data other than the URL.
func (r Registry) Parse(text string, o Options) (Spec, error) {
	u, err := ParseURL(text)
	if err != nil {
		return Spec{}, fmt.Errorf("%q is not a URL; want one of %s", text, r.Examples())
	}
	if u.User != nil || u.Fragment != "" {
		return Spec{}, errors.New("a sink's URL has neither user nor fragment; write # as %23")
	}
	k, ok := r.kind(u.Scheme)
	if !ok {
		hint := ""
		if near := nearest.Strict(u.Scheme, r.schemes()); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return Spec{}, fmt.Errorf("%q: unknown kind of sink; want one of %s%s", text, r.Examples(), hint)
	}
	s, err := k.Parse(u, o)
	if err != nil {
		return Spec{}, fmt.Errorf("%q: %w", text, err)
	}
	s.URL = u.Scheme + text[len(u.Scheme):] // the scheme in lower case
	if s.Fence != nil {
		s.Fence.URL = s.URL
	}
	return s, nil
}

// ReadObject returns the content of the object at a URL, at most limit bytes.
func (r Registry) ReadObject(ctx context.Context, text string, limit int64) ([]byte, error) {
	scheme, _, _ := strings.Cut(text, ":")
	k, ok := r.kind(scheme)
	if !ok || k.ReadObject == nil {
		return nil, fmt.Errorf("cannot read %s: objects at %s: are not supported here", text, scheme)
	}
	return k.ReadObject(ctx, text, limit)
}

func (r Registry) kind(scheme string) (Kind, bool) {
	i := slices.IndexFunc(r.kinds, func(k Kind) bool { return k.Scheme == scheme })
	if i < 0 {
		return Kind{}, false
	}
	return r.kinds[i], true
}

func (r Registry) schemes() []string {
	var schemes []string
	for _, k := range r.kinds {
		schemes = append(schemes, k.Scheme)
	}
	return schemes
}
