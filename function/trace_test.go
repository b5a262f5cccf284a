package function

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan  = "00f067aa0ba902b7"
)

func TestOriginOf(t *testing.T) {
	sampled := origin{Request: someTrace, Trace: someTrace, Span: someSpan, Sampled: true}
	unsampled := origin{Request: someTrace, Trace: someTrace, Span: someSpan}
	for _, tt := range []struct {
		name   string
		header http.Header
		want   origin
	}{
		{"sampled", http.Header{"Traceparent": {"00-" + someTrace + "-" + someSpan + "-01"}}, sampled},
		{"not sampled", http.Header{"Traceparent": {"00-" + someTrace + "-" + someSpan + "-00"}}, unsampled},
		{"other flags", http.Header{"Traceparent": {"00-" + someTrace + "-" + someSpan + "-fe"}}, unsampled},
		{"a later version", http.Header{"Traceparent": {"cc-" + someTrace + "-" + someSpan + "-03-more"}}, sampled},
		{"a later version, no longer", http.Header{"Traceparent": {"01-" + someTrace + "-" + someSpan + "-01"}}, sampled},
		{"Google's", http.Header{"X-Cloud-Trace-Context": {strings.ToUpper(someTrace) + "/67667974448284343;o=1"}}, sampled},
		{"Google's, not sampled", http.Header{"X-Cloud-Trace-Context": {someTrace + "/67667974448284343;o=0"}}, unsampled},
		{"Google's trace alone", http.Header{"X-Cloud-Trace-Context": {someTrace}}, origin{Request: someTrace, Trace: someTrace}},
		{"an invalid span", http.Header{"X-Cloud-Trace-Context": {someTrace + "/x;o=1"}}, origin{Request: someTrace, Trace: someTrace, Sampled: true}},
		{"both", http.Header{"Traceparent": {"00-" + someTrace + "-" + someSpan + "-01"}, "X-Cloud-Trace-Context": {"105445aa7843bc8bf206b12000100000/1"}}, sampled},
		{"the second if the first is invalid", http.Header{"Traceparent": {"x"}, "X-Cloud-Trace-Context": {someTrace + "/67667974448284343"}}, unsampled},
		{"an ID besides a trace", http.Header{"X-Cloud-Trace-Context": {someTrace}, "X-Request-Id": {"mine"}}, origin{Request: someTrace, Trace: someTrace}},
		{"an ID", http.Header{"X-Request-Id": {"mine-1"}}, origin{Request: "mine-1"}},
		{"an ID of 128 bytes", http.Header{"X-Request-Id": {strings.Repeat("i", 128)}}, origin{Request: strings.Repeat("i", 128)}},
	} {
		if diff := cmp.Diff(tt.want, originOf(tt.header)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := sampled.TraceParent(); got != "00-"+someTrace+"-"+someSpan+"-01" {
		t.Errorf("traceparent %q", got)
	}
	if got := unsampled.TraceParent() + (origin{Trace: someTrace, Sampled: true}).TraceParent(); got != "" {
		t.Errorf("traceparent %q without a sample or a span", got)
	}
}

// Invalid headers are ignored, and the request gets a new ID.
func TestOriginOf_invalid(t *testing.T) {
	const zeros = "0000000000000000"
	seen := map[string]bool{}
	for name, values := range map[string][]string{
		"Traceparent": {
			"", "00", "00-" + someTrace + "-" + someSpan, "00-" + someTrace + "-" + someSpan + "-0",
			"00-" + someTrace + "-" + someSpan + "-01-", "00-" + someTrace + "-" + someSpan + "-01 ",
			"cc-" + someTrace + "-" + someSpan + "-01.more",
			"ff-" + someTrace + "-" + someSpan + "-01", "0G-" + someTrace + "-" + someSpan + "-01",
			"00_" + someTrace + "-" + someSpan + "-01", "00-" + someTrace + "_" + someSpan + "-01", "00-" + someTrace + "-" + someSpan + "_01",
			"00-" + strings.ToUpper(someTrace) + "-" + someSpan + "-01", "00-" + someTrace + "-" + strings.ToUpper(someSpan) + "-01",
			"00-" + someTrace + "-" + someSpan + "-0A",
			"00-" + zeros + zeros + "-" + someSpan + "-01", "00-" + someTrace + "-" + zeros + "-01",
		},
		"X-Cloud-Trace-Context": {"", "/1;o=1", someTrace[1:] + "/1", someTrace + "0/1", "x" + someTrace[1:] + "/1", zeros + zeros + "/1"},
		"X-Request-Id":          {"", "two words", "line\n", "caf\u00e9", "\x7f", strings.Repeat("i", 129)},
	} {
		for _, value := range values {
			got := originOf(http.Header{name: {value}})
			if diff := cmp.Diff(origin{}, got, cmpopts.IgnoreFields(origin{}, "Request")); diff != "" || got.Request == "" || got.Request == value {
				t.Errorf("%s: %s: %+v", name, value, got)
			}
			if seen[got.Request] {
				t.Errorf("ID %s twice", got.Request)
			}
			seen[got.Request] = true
		}
	}
	parent := "00-" + someTrace + "-" + someSpan + "-01"
	if got := originOf(http.Header{"Traceparent": {parent, parent}}); got.Trace != "" {
		t.Errorf("repeated header: %+v", got)
	}
}

// FuzzOrigin checks that only hexadecimal digits are taken from trace headers, and only
// printable ASCII without white space as an ID.
func FuzzOrigin(f *testing.F) {
	f.Add("00-"+someTrace+"-"+someSpan+"-01", someTrace+"/1;o=1", "mine")
	f.Add("cc-"+someTrace+"-"+someSpan+"-01-more", "", "")
	f.Fuzz(func(t *testing.T, parent, google, id string) {
		o := originOf(http.Header{"Traceparent": {parent}, "X-Cloud-Trace-Context": {google}, "X-Request-Id": {id}})
		if o.Trace != "" && (len(o.Trace) != 32 || !isHex(o.Trace)) || o.Span != "" && (len(o.Span) != 16 || !isHex(o.Span)) {
			t.Errorf("%+v", o)
		}
		if o.Request == "" || len(o.Request) > 128 || strings.ContainsFunc(o.Request, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("request %q", o.Request)
		}
		if again := o.TraceParent(); again != "" {
			if got, ok := parseTraceParent([]string{again}); !ok || got.Trace != o.Trace || got.Span != o.Span || !got.Sampled {
				t.Errorf("%s is read as %+v", again, got)
			}
		}
	})
}
