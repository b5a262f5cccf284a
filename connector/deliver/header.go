package deliver

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// Header is a header of every request to a destination. Its value is what Of
// says.
type Header struct {
	Name   string // in canonical form
	Of     Fact
	Text   string  // of FactText
	Secret *Secret // of FactSecret
}

// Fact is what the value of a [Header] tells.
type Fact int

// A header tells a text that is always the same, what a file holds, or something
// of its request. What it cannot tell it leaves out, and itself with it. A health
// check has the first two only.
const (
	FactText      Fact = iota
	FactSecret         // what the file of Secret holds
	FactNamespace      // of all changes in the request; the header is left out when they have several, or one that no header can hold
	FactSet            // likewise, and when they are in no set
	FactCount          // of changes in the request
	FactFormat         // the name of the changes' format
)

// header returns the headers of a request with b, or of a health check without.
func (c *Config) header(b *batch) (http.Header, error) {
	header := make(http.Header, len(c.Headers)+3)
	for i := range c.Headers {
		h := &c.Headers[i]
		value, err := h.value(b)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", h.Name, err)
		}
		if value != "" || h.Of == FactText {
			header.Add(h.Name, value)
		}
	}
	if b != nil {
		maps.Copy(header, b.header)
	}
	return header, nil
}

func (h *Header) value(b *batch) (string, error) {
	switch h.Of {
	case FactText:
		return h.Text, nil
	case FactSecret:
		return h.Secret.Text()
	}
	if b == nil {
		return "", nil
	}
	switch h.Of {
	case FactNamespace:
		return sendable(b.namespace()), nil
	case FactSet:
		return sendable(b.set()), nil
	case FactCount:
		return strconv.Itoa(len(b.items)), nil
	case FactFormat:
		return b.stream.Envelope.Name(), nil
	}
	return "", nil
}

// sendable returns name, or "" when it cannot stand in a header: with it the
// request could not be made at all.
func sendable(name string) string {
	if httpguts.ValidHeaderFieldValue(name) {
		return name
	}
	return ""
}
