package lambda

import (
	"context"
	"net/http"
	"strings"
)

// traceHeader has the trace of X-Ray, as in
// Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
const traceHeader = "X-Amzn-Trace-Id"

// traceKey is the key under which the runtime's client puts the trace of the invocation into
// the context. It is a plain string there.
const traceKey = "x-amzn-trace-id"

// trace adds a traceparent to the headers of a request, unless the sender has given one. A
// front that gives no Parent leaves it to Lambda, which knows its own.
func (h *Handler) trace(ctx context.Context, header http.Header) {
	if header.Get("Traceparent") != "" {
		return
	}
	parent := traceParent(header.Get(traceHeader))
	if invocation, ok := ctx.Value(traceKey).(string); ok && parent == "" {
		parent = traceParent(invocation)
	}
	if parent != "" {
		header.Set("Traceparent", parent)
	}
}

// traceParent returns a trace of X-Ray as the header traceparent of W3C Trace Context has it,
// "" if it has no root or no parent.
func traceParent(value string) string {
	var root, parent string
	flags := "00"
	for field := range strings.SplitSeq(value, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Root":
			root = value
		case "Parent":
			parent = value
		case "Sampled":
			if value == "1" {
				flags = "01"
			}
		}
	}
	root, ok := strings.CutPrefix(root, "1-")
	seconds, random, dashed := strings.Cut(root, "-")
	if !ok || !dashed || !isHex(seconds, 8) || !isHex(random, 24) || !isHex(parent, 16) {
		return ""
	}
	return "00-" + seconds + random + "-" + parent + "-" + flags
}

// isHex reports whether text is n hexadecimal digits in lower case.
func isHex(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789abcdef") == ""
}
