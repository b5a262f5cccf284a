package lambda

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// front is what stands between the sender of a request and the function.
type front int

const (
	unknownFront front = iota
	httpAPI2           // API Gateway, HTTP API, payload format 2.0
	httpAPI1           // API Gateway, HTTP API, payload format 1.0
	restProxy          // API Gateway, REST API with proxy integration
	restTemplate       // API Gateway, REST API without proxy, with our templates
	restOther          // the same with templates of others, or none
	functionURL
	alb      // Application Load Balancer
	albMulti // the same with multi-value headers
)

// String returns the name of the front, for logs and errors.
func (f front) String() string {
	switch f {
	case httpAPI2:
		return "HTTP API"
	case httpAPI1:
		return "HTTP API with payload format 1.0"
	case restProxy:
		return "REST API"
	case restTemplate, restOther:
		return "REST API without proxy"
	case functionURL:
		return "function URL"
	case alb, albMulti:
		return "load balancer"
	}
	return "unknown"
}

// front returns the front that sent the event.
func (e *envelope) front() front {
	switch {
	case e.context.elb && e.multiHeaders != nil:
		return albMulti
	case e.context.elb:
		return alb
	case e.context.http && strings.Contains(e.context.domain, ".lambda-url."):
		return functionURL
	case e.context.http:
		return httpAPI2
	case e.hasContext && e.context.id != "" && e.method != "" && e.version == "1.0":
		return httpAPI1
	case e.hasContext && e.context.id != "" && e.method != "":
		return restProxy
	case e.hasContext:
		return unknownFront // such as a WebSocket API
	case e.template:
		return restTemplate
	case e.otherService() == "" && (e.method != "" || e.kind != noBody):
		return restOther
	}
	return unknownFront
}

// headerLists reports whether the front takes several values of a header in an answer, in
// the member multiValueHeaders, and headerStrings whether it takes one, in headers.
func (f front) headerLists() bool { return f != httpAPI2 && f != functionURL && f != alb }

func (f front) headerStrings() bool { return f != albMulti }

// brokenBody returns an error that says what to change if the front has passed, as text, a
// body that is not text: its bytes are lost then. Only mediaType and the coding of the body
// decide that, because text may well hold U+FFFD, the character that replaces lost bytes. It
// does count where JSON cannot have it, and where a template has made Base64 of such a text.
func (e *envelope) brokenBody(f front, mediaType, coding string) error {
	text := isText(mediaType) && isIdentity(coding)
	replaced := func() bool { return bytes.Contains(e.body, []byte("\uFFFD")) }
	switch {
	case e.kind != stringBody, len(e.body) == 0:
		return nil
	case e.base64 && (text || f != restTemplate && f != restOther || !replaced() || !utf8.Valid(e.body)):
		return nil
	case !e.base64 && text && (startsJSON(e.body) || !replaced()):
		return nil
	}
	switch f {
	case restProxy:
		return errors.New("the REST API passes a binary body as text, which destroys it; set its binaryMediaTypes to */* and deploy it again")
	case restTemplate, restOther:
		return errors.New("the REST API passes a binary body as text, which destroys it; set its binaryMediaTypes to */*, and contentHandling to CONVERT_TO_TEXT, and deploy it again")
	}
	return errors.New("the " + f.String() + " passes a binary body as text, which destroys it; it must be Base64, with isBase64Encoded true")
}

// isText reports whether data of the media type, which may have parameters, is text. A missing
// media type is left to the receiver.
func isText(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	switch mediaType {
	case "", "application/json", "application/x-ndjson", "application/ndjson", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "+json")
}

// isIdentity reports whether a Content-Encoding changes nothing.
func isIdentity(coding string) bool {
	coding = strings.TrimSpace(coding)
	return coding == "" || strings.EqualFold(coding, "identity")
}

// startsJSON reports whether the first character of a body is one that JSON objects and arrays
// begin with.
func startsJSON(body []byte) bool {
	text := bytes.TrimLeft(body, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}
