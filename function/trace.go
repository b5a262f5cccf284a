package function

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// origin is the ID and the trace of a request, from its header.
type origin struct {
	Request string // an ID for people to find it by
	Trace   string // 32 hexadecimal digits; "" is none
	Span    string // 16 of them; "" is none
	Sampled bool
}

// originOf reads the header of W3C Trace Context or else that of Google's front end. Invalid
// headers are ignored. A request without a trace has the ID that its sender gave it, or a new
// one.
func originOf(header http.Header) origin {
	o, ok := parseTraceParent(header["Traceparent"])
	if !ok {
		o = parseCloudTrace(header.Get("X-Cloud-Trace-Context"))
	}
	o.Request = o.Trace
	if o.Request == "" {
		o.Request = requestID(header.Get("X-Request-Id"))
	}
	return o
}

// TraceParent returns the value of a traceparent header, "" unless the trace is sampled.
func (o origin) TraceParent() string {
	if !o.Sampled || o.Trace == "" || o.Span == "" {
		return ""
	}
	return "00-" + o.Trace + "-" + o.Span + "-01"
}

// parseTraceParent reads VERSION-TRACE-SPAN-FLAGS
// (https://www.w3.org/TR/trace-context/#traceparent-header).
func parseTraceParent(values []string) (origin, bool) {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(values) != 1 || len(values[0]) < length {
		return origin{}, false
	}
	fields, more := values[0][:length], values[0][length:]
	version, trace, span, flags := fields[:2], fields[3:35], fields[36:52], fields[53:]
	switch {
	case fields[2] != '-' || fields[35] != '-' || fields[52] != '-',
		!isHex(version) || !isHex(trace) || !isHex(span) || !isHex(flags),
		version == "ff",
		version == "00" && more != "",
		more != "" && more[0] != '-',
		isZero(trace) || isZero(span):
		return origin{}, false
	}
	bits, _ := hex.DecodeString(flags) // they are hexadecimal digits
	return origin{Trace: trace, Span: span, Sampled: bits[0]&1 != 0}, true
}

// parseCloudTrace reads TRACE/SPAN;o=OPTIONS, of which the span is decimal
// (https://cloud.google.com/trace/docs/trace-context#legacy-http-header).
func parseCloudTrace(value string) origin {
	value, options, _ := strings.Cut(value, ";")
	trace, decimal, _ := strings.Cut(value, "/")
	trace = strings.ToLower(trace)
	if len(trace) != 32 || !isHex(trace) || isZero(trace) {
		return origin{}
	}
	o := origin{Trace: trace, Sampled: options == "o=1"}
	if span, err := strconv.ParseUint(decimal, 10, 64); err == nil && span > 0 {
		o.Span = fmt.Sprintf("%016x", span)
	}
	return o
}

// requestID returns the ID that a sender gave its request if it can be logged, otherwise a
// new one.
func requestID(given string) string {
	const most = 128
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(given) > most || strings.ContainsFunc(given, unfit) {
		given = ""
	}
	return cmp.Or(given, rand.Text())
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

func isZero(digits string) bool { return strings.Trim(digits, "0") == "" }

// Members of a log line in which Cloud Logging looks for the trace
// (https://cloud.google.com/logging/docs/structured-logging).
const (
	traceKey   = "logging.googleapis.com/trace"
	spanKey    = "logging.googleapis.com/spanId"
	sampledKey = "logging.googleapis.com/trace_sampled"
)

// attributes returns the attributes that connect the log lines of a request: its trace, in
// the form that Cloud Logging has within a project, or else its ID.
//
//nolint:sloglint // the keys are Google's
func (o origin) attributes(project string) []slog.Attr {
	if o.Trace == "" || project == "" {
		return []slog.Attr{slog.String("request", o.Request)}
	}
	trace := []slog.Attr{
		slog.String(traceKey, "projects/"+project+"/traces/"+o.Trace),
		slog.Bool(sampledKey, o.Sampled),
	}
	if o.Span != "" {
		trace = append(trace, slog.String(spanKey, o.Span))
	}
	return trace
}
