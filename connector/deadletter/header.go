package deadletter

import (
	"encoding/base64"
	"fmt"
	"mime"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
)

// The headers of a request that is a dead letter: the body is the message, and the headers
// have the rest. Only ReasonHeader is always there. The digest is in Base64, other texts are
// encoded as in RFC 2047.
const (
	ReasonHeader    = "Aerosink-Reason"
	OffsetHeader    = "Aerosink-Offset"
	SizeHeader      = "Aerosink-Size"
	NamespaceHeader = "Aerosink-Namespace"
	SetHeader       = "Aerosink-Set"
	DigestHeader    = "Aerosink-Digest"
	LUTHeader       = "Aerosink-Lut"
)

// Header returns the headers of a request whose body is the message of l.
func (l *Letter) Header() map[string][]string {
	h := map[string][]string{ReasonHeader: {mime.QEncoding.Encode("utf-8", l.Reason)}}
	if l.Offset != nil {
		h[OffsetHeader] = []string{strconv.Itoa(*l.Offset)}
	}
	if l.Size > 0 {
		h[SizeHeader] = []string{strconv.Itoa(l.Size)}
	}
	if l.Namespace == "" {
		return h
	}
	h[NamespaceHeader] = []string{mime.QEncoding.Encode("utf-8", l.Namespace)}
	h[DigestHeader] = []string{base64.StdEncoding.EncodeToString(l.Digest)}
	if l.Set != "" {
		h[SetHeader] = []string{mime.QEncoding.Encode("utf-8", l.Set)}
	}
	if l.LUT > 0 {
		h[LUTHeader] = []string{strconv.FormatInt(l.LUT, 10)}
	}
	return h
}

// IsMarked reports whether the headers of a request say that it is a dead letter.
func IsMarked(header map[string][]string) bool { return header[ReasonHeader] != nil }

// ParseHeader returns the dead letter of a request, without its message. Its errors do not
// contain values of the headers.
func ParseHeader(header map[string][]string) (Letter, error) {
	p := headerParser{header: header}
	l := Letter{
		Reason:    p.text(ReasonHeader),
		Size:      int(p.number(SizeHeader)),
		Namespace: p.text(NamespaceHeader),
		Set:       p.text(SetHeader),
		Digest:    p.digest(),
		LUT:       p.number(LUTHeader),
	}
	if offset := int(p.number(OffsetHeader)); p.value(OffsetHeader) != "" {
		l.Offset = &offset
	}
	if (l.Namespace == "") != (l.Digest == nil) {
		p.fail(DigestHeader)
	}
	return l, p.err
}

// headerParser parses headers and keeps the first error.
type headerParser struct {
	header map[string][]string
	err    error
}

// value returns the first value of a header, "" if there is none.
func (p *headerParser) value(name string) string {
	if values := p.header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (p *headerParser) text(name string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(p.value(name))
	if err != nil {
		p.fail(name)
	}
	return text
}

// number returns 0 if there is no such header.
func (p *headerParser) number(name string) int64 {
	value := p.value(name)
	if value == "" {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		p.fail(name)
	}
	return n
}

// digest returns nil if there is no such header.
func (p *headerParser) digest() []byte {
	value := p.value(DigestHeader)
	if value == "" {
		return nil
	}
	digest, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(digest) != len(change.Digest{}) {
		p.fail(DigestHeader)
	}
	return digest
}

func (p *headerParser) fail(name string) {
	if p.err == nil {
		p.err = fmt.Errorf("invalid header %s of a dead letter", name)
	}
}
