package function

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Probes of /readyz come every few seconds, so each reason why the function is not ready is
// logged once, until it is ready.
func TestServeHTTP_notReadyIsLoggedOnce(t *testing.T) {
	const kafka, unset = "kafka://x", ""
	variables := map[string]string{}
	r, log := receiverOfVariables(t, variables)
	seen := 0
	for i, tt := range []struct {
		sinks  string
		status int
		log    []string // of each line, what it must have
	}{
		{kafka, 503, []string{"level=WARN", `msg="not ready"`, "path=/readyz", "status=503", `environment: SINKS: \"kafka://x\"`}},
		{kafka, 503, nil},
		{unset, 503, []string{"level=WARN", "SINKS: not set"}},
		{kafka, 503, nil},
		{"log:", 200, []string{"level=INFO", "msg=ready", "path=/readyz"}},
		{"log:", 200, nil},
	} {
		variables["SINKS"] = tt.sinks
		for range 3 {
			if w := ask(r, http.MethodGet, "/readyz"); w.Code != tt.status {
				t.Errorf("%d: status %d: %s", i, w.Code, w.Body)
			}
		}
		text := log.String()[seen:]
		seen += len(text)
		if lines := strings.Count(text, "\n"); lines != min(len(tt.log), 1) {
			t.Errorf("%d: %d lines:\n%s", i, lines, text)
		}
		for _, want := range tt.log {
			if !strings.Contains(text, want) {
				t.Errorf("%d: the log lacks %s:\n%s", i, want, text)
			}
		}
	}
}

// A request with changes is an error each time, and a probe that is refused for another reason
// does not speak of changes.
func TestServeHTTP_notReadyAndOtherRequests(t *testing.T) {
	r, log := receiverOfVariables(t, map[string]string{"SINKS": "kafka://x"})
	for range 2 {
		postAs(r, "application/json", "[]")
	}
	if n := strings.Count(log.String(), `level=ERROR msg="changes not accepted"`); n != 2 {
		t.Errorf("%d errors, want 2:\n%s", n, log.String())
	}
	r, log = receiverOfVariables(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS_FILE": filepath.Join(t.TempDir(), "none")})
	for range 2 {
		ask(r, http.MethodGet, "/readyz")
	}
	if n := strings.Count(log.String(), `level=WARN msg="not ready" method=GET path=/readyz`); n != 1 || strings.Contains(log.String(), "changes") {
		t.Errorf("without a file of tokens:\n%s", log.String())
	}
	r, log = receiverOfVariables(t, map[string]string{"SINKS": "log:", "AUTH_TOKENS": ownToken})
	ask(r, http.MethodGet, "/readyz")
	if want := `level=WARN msg="request refused" method=GET path=/readyz`; !strings.Contains(log.String(), want) || strings.Contains(log.String(), "changes") {
		t.Errorf("without a token, the log lacks %s:\n%s", want, log.String())
	}
}

func TestReadinessLog_numbersDoNotCount(t *testing.T) {
	var l readinessLog
	for i, tt := range []struct {
		cause string
		first bool
	}{
		{"read udp 10.0.0.2:45123->169.254.169.254:53: i/o timeout", true},
		{"read udp 10.0.0.2:45124->169.254.169.254:53: i/o timeout", false},
		{"connection refused", true},
		{"read udp 10.0.0.2:7->169.254.169.254:53: i/o timeout", false},
	} {
		if got := l.failed(tt.cause); got != tt.first {
			t.Errorf("%d: %s: first is %t", i, tt.cause, got)
		}
	}
	for i := range 10 * maxCauses {
		l.failed(strings.Repeat("x", i))
	}
	if n := len(l.causes); n > maxCauses {
		t.Errorf("%d causes are kept, want at most %d", n, maxCauses)
	}
	if !l.ready() || l.ready() || !l.failed("connection refused") {
		t.Error("being ready does not begin anew")
	}
}
