package post

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// Header is a header of every request to a destination. Of selects its value.
type Header struct {
	Name   string // in canonical form
	Of     Fact
	Text   string       // of FactText
	Secret *auth.Secret // of FactSecret
}

// Fact is what the value of a [Header] contains.
type Fact int

// The value is a fixed text, the content of a file, or a fact about the request. If there
// is no value, the header is left out. A health check has only the first two kinds.
const (
	FactText      Fact = iota
	FactSecret         // the content of the file of Secret
	FactNamespace      // of all changes in the request; left out if they differ or it is not a valid header value
	FactSet            // likewise; also left out if the changes are in no set
	FactDigest         // of the change's record, in Base64; left out if the request has several changes
	FactCount          // number of changes in the request
	FactFormat         // name of the changes' format
)

// add adds the header of r, or of a health check if r is nil, to header. A header without a
// value is left out, unless it is a FactText.
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

// value returns the value for r, or "" if there is none.
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
	case FactDigest:
		return base64.StdEncoding.EncodeToString(r.Digest), nil
	case FactCount:
		return strconv.Itoa(r.Changes), nil
	case FactFormat:
		return r.Format, nil
	}
	return "", nil
}

// validValue returns name, or "" if it is not a valid header value. net/http would fail
// the request.
func validValue(name string) string {
	if httpguts.ValidHeaderFieldValue(name) {
		return name
	}
	return ""
}
