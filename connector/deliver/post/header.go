package post

import (
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// Header is a header of every request to a destination. Of says what its value is.
type Header struct {
	Name   string // in canonical form
	Of     Fact
	Text   string       // of FactText
	Secret *auth.Secret // of FactSecret
}

// Fact is what the value of a [Header] tells.
type Fact int

// A header tells a fixed text, the content of a file, or a fact about its request. If it
// cannot tell it, the header is left out. A health check has only the first two kinds.
const (
	FactText      Fact = iota
	FactSecret         // the content of the file of Secret
	FactNamespace      // of all changes in the request; left out if they have several, or one that is not a valid header value
	FactSet            // likewise; left out if they are in no set too
	FactCount          // number of changes in the request
	FactFormat         // name of the changes' format
)

// add adds the header to those of r, or of a health check if r is nil. A value that cannot
// be told leaves the header out, except for an empty FactText.
func (h *Header) add(header http.Header, r *Request) error {
	value, err := h.value(r)
	if err != nil {
		return fmt.Errorf("header %s: %w", h.Name, err)
	}
	if value != "" || h.Of == FactText {
		header.Add(h.Name, value)
	}
	return nil
}

func (h *Header) value(r *Request) (string, error) {
	switch h.Of {
	case FactText:
		return h.Text, nil
	case FactSecret:
		return h.Secret.Text()
	}
	if r == nil {
		return "", nil
	}
	switch h.Of {
	case FactNamespace:
		return validValue(r.Namespace), nil
	case FactSet:
		return validValue(r.Set), nil
	case FactCount:
		return strconv.Itoa(r.Changes), nil
	case FactFormat:
		return r.Format, nil
	}
	return "", nil
}

// validValue returns name, or "" if it is not a valid header value: a request with it
// would fail.
func validValue(name string) string {
	if httpguts.ValidHeaderFieldValue(name) {
		return name
	}
	return ""
}
