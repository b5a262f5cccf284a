package settings_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// lasting are sinks and dead letters without errors or warnings.
var lasting = []string{"SINKS", "pubsub://shop/changes?ordering=256,gs://archive/changes", "DEAD_LETTERS", "gs://archive/dead"}

func TestExamine_errorsAndWarnings(t *testing.T) {
	for _, tt := range []struct {
		name, value  string
		err, warning string // "" is none
	}{
		{"LOG_LEVEL", "debug", "", ""},
		{"PATH", "/bin", "", ""},
		{"SORT", "up", "", ""},
		{"HOSTNAME", "sink-1", "", ""},
		{"HOSTTYPE", "x86_64", "", ""},
		{"HTTP_TIMEOUT", "1s", "", ""},
		{"TIMEOUT", "x", `TIMEOUT: invalid duration "x": want for example 9s`, ""},
		{"METRICS_PORT", "8080", "METRICS_PORT: 8080 is PORT too; set another", ""},
		{"AUTH_TOKENS_FILE", "nowhere", "AUTH_TOKENS_FILE: open nowhere: no such file", ""},
		{"AUTH_TOKENS_FILE", "examination_test.go", "AUTH_TOKENS_FILE: examination_test.go: token 1 contains white space", ""},
		{"DEAD_LETTERS", "", "", "DEAD_LETTERS: not set, so a change that can never be stored is refused"},
		{"DEAD_LETTERS", "log:", "DEAD_LETTERS: a log is not durable", ""},
		{"DEAD_LETTERS", "pubsub://shop/dead", "", "DEAD_LETTERS: pubsub://shop/dead: a topic takes messages up to 10 MB"},
		{"TIMEOUT", "10s", "", "TIMEOUT: 10s, but XDR waits 10s for a reply"},
		{"MAX_BODY", "33MiB", "", "MAX_BODY: more than 33554432 bytes reach a service on Cloud Run only with HTTP/2"},
		{"SINKS", "pubsub://shop/changes", "", "SINKS: pubsub://shop/changes: without ordering"},
		{"SINKS", "log:", "", "SINKS: log:: a log is not durable"},
		{"MAX_BODYS", "1", "", "MAX_BODYS: unknown variable; did you mean MAX_BODY?"},
		{"DEADLETTER", "1", "", "did you mean DEAD_LETTERS?"},
		{"sinks", "1", "", "sinks: unknown variable; did you mean SINKS?"},
		{"AEROSINK_SINKS", "1", "", "AEROSINK_SINKS: unknown variable; did you mean SINKS?"},
		{"AEROSINK_COLOUR", "1", "", "AEROSINK_COLOUR: unknown variable"},
	} {
		f := environment(env(append([]string{tt.name, tt.value}, lasting...)...)).Examine([]string{"SINKS", "DEAD_LETTERS", tt.name})
		if got := fmt.Sprint(errors.Join(f.Errors...)); (tt.err == "") != (len(f.Errors) == 0) || !strings.Contains(got, tt.err) {
			t.Errorf("%s=%s: errors %s, want %q", tt.name, tt.value, got, tt.err)
		}
		if got := fmt.Sprint(f.Warnings); (tt.warning == "") != (len(f.Warnings) == 0) || !strings.Contains(got, tt.warning) {
			t.Errorf("%s=%s: warnings %s, want %q", tt.name, tt.value, got, tt.warning)
		}
	}
}

// Every variable is listed with its effective value, but tokens are not.
func TestExamine_values(t *testing.T) {
	f := environment(env("SINKS", " log: ,gs://a/b", "MAX_BODY", "1MiB", "AUTH_TOKENS", "secret-secret-secret,other-secret-secret")).Examine(nil)
	shown := fmt.Sprint(f.Values)
	for _, want := range []string{"SINKS: log:, gs://a/b ", "MAX_BODY: 1MiB (1048576 bytes) ", "MAX_CHANGES: 10000, by default ", "AUTH_TOKENS: 2, not shown ", "METRICS_PORT: not set "} {
		if !strings.Contains(shown, want) {
			t.Errorf("values %s\nlack %q", shown, want)
		}
	}
	if len(f.Values) != len(environment(env()).Variables()) || strings.Contains(shown, "secret") {
		t.Errorf("settings %s", shown)
	}
}

// What cannot be a token is not shown either: it may be one with a mistake in it.
func TestExamine_invalidTokens(t *testing.T) {
	for _, e := range []settings.Environment{
		environment(env("AUTH_TOKENS", "hidden")), ofLambda("AUTH_TOKENS", "hidden"), ofLambda("AUTH_TOKENS_SECRET", "hidden-hidden-hidden"),
	} {
		x := e.Examine(nil)
		if shown := fmt.Sprint(x.Values, x.Errors, x.Warnings); strings.Contains(shown, "hidden") || !strings.Contains(shown, "not shown") {
			t.Errorf("settings %s", shown)
		}
	}
}

// Settings of the server have no effect under the Functions Framework, and get a warning.
func TestExamine_underTheFunctionsFramework(t *testing.T) {
	f := environment(env(append([]string{"FUNCTION_TARGET", "Receive", "HOST", "127.0.0.1", "METRICS_PORT", "9090", "HEADER_TIMEOUT", "1s"}, lasting...)...)).Examine(nil)
	if len(f.Warnings) != 3 || !strings.Contains(f.Warnings[0].Text, "has no effect under the Functions Framework") {
		t.Errorf("warnings %v", f.Warnings)
	}
}

// Connect checks every sink. An error says what to check.
func TestConnect_resultOfEachSink(t *testing.T) {
	sinktest.New(t)
	f := environment(env("SINKS", sinktest.PubSubSink+",pubsub://test-project/nowhere,"+sinktest.ArchiveSink+",log:", "DEAD_LETTERS", "gs://nowhere/dead")).Examine(nil)
	want := map[string]string{
		sinktest.PubSubSink:             "",
		"pubsub://test-project/nowhere": "nowhere",
		sinktest.ArchiveSink:            "",
		"log:":                          "",
		"gs://nowhere/dead":             "check bucket nowhere",
	}
	found := f.Connect(t.Context())
	for _, c := range found {
		says, ok := want[c.URL]
		if !ok || (c.Err == nil) != (says == "") || c.Err != nil && !strings.Contains(c.Err.Error(), says) {
			t.Errorf("%s: %s: %v, want an error with %q", c.Variable, c.URL, c.Err, says)
		}
	}
	if len(found) != len(want) || found[4].Variable != "DEAD_LETTERS" {
		t.Errorf("connections %+v", found)
	}
}

// A queue for dead letters cannot take every change.
func TestExamine_deadLettersInQueue(t *testing.T) {
	parse := func(*url.URL, sink.Options) (sink.Spec, error) { return sink.Spec{}, nil }
	e := settings.Environment{Getenv: env("SINKS", "s3://archive/changes", "DEAD_LETTERS", "sqs://eu-west-1/123456789012/dead.fifo"), Sinks: sink.NewRegistry(sink.Kind{Scheme: "s3", Parse: parse}, sink.Kind{Scheme: "sqs", Parse: parse})}
	x := e.Examine(nil)
	if len(x.Errors) != 0 || len(x.Warnings) != 1 || !strings.Contains(x.Warnings[0].String(), "DEAD_LETTERS: sqs://eu-west-1/123456789012/dead.fifo: a queue takes messages up to 1 MiB") {
		t.Errorf("errors %v, warnings %v", x.Errors, x.Warnings)
	}
}

// What a probe finds about a sink that works is a warning, not an error.
func TestConnect_warning(t *testing.T) {
	probes := map[string]error{"fine": nil, "slow": fmt.Errorf("check: %w", &sink.Concern{Text: "it is slow"}), "gone": errors.New("it is gone")}
	parse := func(u *url.URL, _ sink.Options) (sink.Spec, error) {
		return sink.Spec{Probe: func(context.Context) error { return probes[u.Host] }}, nil
	}
	e := settings.Environment{Getenv: env("SINKS", "test://fine,test://slow,test://gone"), Sinks: sink.NewRegistry(sink.Kind{Scheme: "test", Parse: parse})}
	found := e.Examine(nil).Connect(t.Context())
	want := []settings.Connection{
		{Variable: "SINKS", URL: "test://fine"}, {Variable: "SINKS", URL: "test://slow", Warning: "it is slow"},
		{Variable: "SINKS", URL: "test://gone", Err: probes["gone"]},
	}
	if !slices.Equal(found, want) {
		t.Errorf("connections %+v, want %+v", found, want)
	}
}

// Connect stops waiting for a sink when its context ends.
func TestConnect_timeout(t *testing.T) {
	cloud := sinktest.New(t)
	cloud.FailStorage(func(w http.ResponseWriter, req *http.Request) {
		<-req.Context().Done()
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := environment(env("SINKS", sinktest.ArchiveSink)).Examine(nil)
	if c := f.Connect(ctx)[0]; !errors.Is(c.Err, context.Canceled) {
		t.Errorf("error %v, want %v", c.Err, context.Canceled)
	}
}

// The hosts of a URL stay together when sinks are listed.
func TestEnvironment_Examine_severalHosts(t *testing.T) {
	x := environment(env("SINKS", "log: ,aerospike://a:3000,b:3000/shop?mode=records")).Examine(nil)
	for _, f := range x.Values {
		if want := "log:, aerospike://a:3000,b:3000/shop?mode=records"; f.Variable == "SINKS" && f.Text != want {
			t.Errorf("%q, want %q", f.Text, want)
		}
	}
}
