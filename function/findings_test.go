package function_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// lasting are sinks and dead letters that there is nothing to say about.
var lasting = []string{"SINKS", "pubsub://shop/changes?ordering=256,gs://archive/changes", "DEAD_LETTERS", "gs://archive/dead"}

func TestExamine(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		fault, says string // "" is none
	}{
		{"LOG_LEVEL", "debug", "", ""},
		{"PATH", "/bin", "", ""},
		{"SORT", "up", "", ""},
		{"HTTP_TIMEOUT", "1s", "", ""},
		{"TIMEOUT", "x", `TIMEOUT: "x" is no duration; write for example 9s`, ""},
		{"METRICS_PORT", "8080", "METRICS_PORT: 8080 is PORT too; set another", ""},
		{"AUTH_TOKENS_FILE", "nowhere", "AUTH_TOKENS_FILE: open nowhere: no such file", ""},
		{"AUTH_TOKENS_FILE", "findings_test.go", "AUTH_TOKENS_FILE: findings_test.go: token 1 has white space in it", ""},
		{"DEAD_LETTERS", "", "", "DEAD_LETTERS: not set, so a change that can never be stored is refused"},
		{"DEAD_LETTERS", "log:", "DEAD_LETTERS: a log is no place that lasts", ""},
		{"DEAD_LETTERS", "pubsub://shop/dead", "", "DEAD_LETTERS: pubsub://shop/dead: a topic takes no message over 10 MB"},
		{"TIMEOUT", "10s", "", "TIMEOUT: 10s, but XDR waits 10s for a reply"},
		{"MAX_BODY", "33MiB", "", "MAX_BODY: more than 33554432 bytes reach a service on Cloud Run only with HTTP/2"},
		{"SINKS", "pubsub://shop/changes", "", "SINKS: pubsub://shop/changes: without ordering"},
		{"SINKS", "log:", "", "SINKS: log:: a log is no place that lasts"},
		{"MAX_BODYS", "1", "", "MAX_BODYS: no variable of ours; did you mean MAX_BODY?"},
		{"DEADLETTER", "1", "", "did you mean DEAD_LETTERS?"},
		{"sinks", "1", "", "sinks: no variable of ours; did you mean SINKS?"},
		{"AEROSINK_SINKS", "1", "", "AEROSINK_SINKS: no variable of ours; did you mean SINKS?"},
		{"AEROSINK_COLOUR", "1", "", "AEROSINK_COLOUR: no variable of ours"},
	} {
		f := function.Examine(env(append([]string{tt.name, tt.value}, lasting...)...), []string{"SINKS", "DEAD_LETTERS", tt.name})
		if got := fmt.Sprint(errors.Join(f.Faults...)); (tt.fault == "") != (len(f.Faults) == 0) || !strings.Contains(got, tt.fault) {
			t.Errorf("%s=%s: faults %s, want %q", tt.name, tt.value, got, tt.fault)
		}
		if got := fmt.Sprint(f.Warnings); (tt.says == "") != (len(f.Warnings) == 0) || !strings.Contains(got, tt.says) {
			t.Errorf("%s=%s: warnings %s, want %q", tt.name, tt.value, got, tt.says)
		}
	}
}

// Every variable is shown with what it was understood as, and no token is.
func TestExamineSettings(t *testing.T) {
	f := function.Examine(env("SINKS", " log: ,gs://a/b", "MAX_BODY", "1MiB", "AUTH_TOKENS", "secret-secret-secret,other-secret-secret"), nil)
	shown := fmt.Sprint(f.Settings)
	for _, want := range []string{"SINKS: log:, gs://a/b ", "MAX_BODY: 1MiB (1048576 bytes) ", "MAX_CHANGES: 10000, by default ", "AUTH_TOKENS: 2, not shown ", "METRICS_PORT: not set "} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s\ndoes not say %q", shown, want)
		}
	}
	if len(f.Settings) != len(function.Variables()) || strings.Contains(shown, "secret") {
		t.Errorf("settings %s", shown)
	}
}

// What the Functions Framework does by itself is not ours to set.
func TestExamineForFramework(t *testing.T) {
	f := function.Examine(env(append([]string{"FUNCTION_TARGET", "Receive", "METRICS_PORT", "9090", "HEADER_TIMEOUT", "1s"}, lasting...)...), nil)
	if len(f.Warnings) != 2 || !strings.Contains(f.Warnings[0].Text, "means nothing under the Functions Framework") {
		t.Errorf("warnings %v", f.Warnings)
	}
}

// Every place is looked for, and what is wrong with one says what to do.
func TestConnect(t *testing.T) {
	sinktest.New(t)
	f := function.Examine(env("SINKS", sinktest.PubSubSink+",pubsub://test-project/nowhere,"+sinktest.ArchiveSink+",log:", "DEAD_LETTERS", "gs://nowhere/dead"), nil)
	want := map[string]string{
		sinktest.PubSubSink:             "",
		"pubsub://test-project/nowhere": "nowhere",
		sinktest.ArchiveSink:            "",
		"log:":                          "",
		"gs://nowhere/dead":             "probe bucket nowhere",
	}
	found := f.Connect(t.Context())
	for _, c := range found {
		says, ok := want[c.Place]
		if !ok || (c.Err == nil) != (says == "") || c.Err != nil && !strings.Contains(c.Err.Error(), says) {
			t.Errorf("%s: %s: %v, want an error that says %q", c.Variable, c.Place, c.Err, says)
		}
	}
	if len(found) != len(want) || found[4].Variable != "DEAD_LETTERS" {
		t.Errorf("connections %+v", found)
	}
}

// A place that does not answer is not waited for any longer than the caller does.
func TestConnectInTime(t *testing.T) {
	cloud := sinktest.New(t)
	cloud.FailStorage(func(w http.ResponseWriter, req *http.Request) {
		<-req.Context().Done()
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := function.Examine(env("SINKS", sinktest.ArchiveSink), nil)
	if c := f.Connect(ctx)[0]; !errors.Is(c.Err, context.Canceled) {
		t.Errorf("%v", c.Err)
	}
}
