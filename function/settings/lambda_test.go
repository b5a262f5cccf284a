package settings_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// ofLambda returns an environment like that of the program for AWS Lambda, with sinks that
// take any URL. The only secret is arn:tokens.
func ofLambda(pairs ...string) settings.Environment {
	parse := func(*url.URL, sink.Options) (sink.Spec, error) { return sink.Spec{}, nil }
	return settings.Environment{
		Getenv: env(pairs...), Lambda: true, OneAtATime: true,
		Sinks: sink.NewRegistry(
			sink.Kind{Scheme: "log", Example: "log:", Parse: parse},
			sink.Kind{Scheme: "sqs", Example: "sqs://REGION/ACCOUNT/NAME.fifo", Parse: parse},
			sink.Kind{Scheme: "kinesis", Example: "kinesis://REGION/ACCOUNT/STREAM", Parse: parse},
			sink.Kind{Scheme: "s3", Example: "s3://BUCKET/PREFIX", Parse: parse},
		),
		Secret: func(name string) (func(context.Context) ([]byte, error), error) {
			if name != "arn:tokens" {
				return nil, errors.New("not an ARN")
			}
			return func(context.Context) ([]byte, error) { return []byte("secret-secret-secret\n"), nil }, nil
		},
	}
}

// lastingOnLambda are settings without errors or warnings.
var lastingOnLambda = []string{"SINKS", "sqs://eu-west-1/1/changes.fifo,s3://archive/changes?linger=0s", "DEAD_LETTERS", "s3://archive/dead", "AUTH_TOKENS_SECRET", "arn:tokens"}

func TestExamine_onLambda(t *testing.T) {
	for _, tt := range []struct {
		name, value  string
		err, warning string // "" is none
	}{
		{"LOG_LEVEL", "debug", "", ""},
		{"BASE_PATH", "/changes", "", ""},
		{"AUTH_TOKENS_FILE", "", "", ""},
		{"PORT", "8081", "", "PORT: has no effect on AWS Lambda"},
		{"HOST", "127.0.0.1", "", "HOST: has no effect on AWS Lambda"},
		{"METRICS_PORT", "9090", "", "METRICS_PORT: has no effect on AWS Lambda"},
		{"MAX_HEADER", "1KiB", "", "MAX_HEADER: has no effect on AWS Lambda"},
		{"HEADER_TIMEOUT", "1s", "", "HEADER_TIMEOUT: has no effect on AWS Lambda"},
		{"BODY_TIMEOUT", "1s", "", "BODY_TIMEOUT: has no effect on AWS Lambda"},
		{"GOOGLE_CLOUD_PROJECT", "shop", "", "GOOGLE_CLOUD_PROJECT: has no effect on AWS Lambda"},
		{"TIMEOUT", "10s", "", "TIMEOUT: 10s, but XDR waits 10s for a reply"},
		{"MAX_BODY", "6MiB", "", ""},
		{"MAX_BODY", "33MiB", "", "MAX_BODY: AWS Lambda takes events up to 6 MiB"},
		{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128", "", "MAX_INFLATED: a body of 67108864 bytes takes more than the 128 MB of this function"},
		{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256", "", ""},
		{"AUTH_TOKENS_SECRET", "", "", "AUTH_TOKENS_SECRET: neither this nor AUTH_TOKENS is set"},
		{"AUTH_TOKENS_SECRET", "tokens", "AUTH_TOKENS_SECRET: not an ARN", ""},
		{"AUTH_TOKEN_SECRET", "arn:tokens", "", "AUTH_TOKEN_SECRET: unknown variable; did you mean AUTH_TOKENS_SECRET?"},
		{"BASE_PATHS", "/x", "", "BASE_PATHS: unknown variable; did you mean BASE_PATH?"},
		{"BASE_PATH", "https://example.com/x", `BASE_PATH: invalid path "https://example.com/x": want for example /changes`, ""},
		{"DEAD_LETTERS", "", "", "DEAD_LETTERS: not set, so a change that can never be stored is refused, and its sender may send it again and again; set for example s3://BUCKET/dead-letters"},
		{"DEAD_LETTERS", "log:", "DEAD_LETTERS: a log is not durable; set for example s3://BUCKET/dead-letters", ""},
		{"DEAD_LETTERS", "kinesis://eu-west-1/1/dead", "DEAD_LETTERS: a stream keeps its records for a day by default, and removes them whether or not somebody has looked at them; set for example s3://BUCKET/dead-letters", ""},
		{"DEAD_LETTERS", "sqs://eu-west-1/1/dead.fifo", "", "DEAD_LETTERS: sqs://eu-west-1/1/dead.fifo: a queue takes messages up to 1 MiB"},
		{"SINKS", "", "SINKS: not set, so changes have nowhere to go; set for example sqs://REGION/ACCOUNT/NAME.fifo", ""},
		{"SINKS", "log:", "", "SINKS: log:: a log is not durable"},
		{"SINKS", "s3://archive/changes?linger=250ms", "", "SINKS: s3://archive/changes?linger=250ms: one request runs at a time, so nothing joins an object while it waits, and each request takes 250ms longer; leave linger out"},
	} {
		f := ofLambda(append([]string{tt.name, tt.value}, lastingOnLambda...)...).Examine([]string{"SINKS", "DEAD_LETTERS", tt.name})
		if got := fmt.Sprint(errors.Join(f.Errors...)); (tt.err == "") != (len(f.Errors) == 0) || !strings.Contains(got, tt.err) {
			t.Errorf("%s=%s: errors %s, want %q", tt.name, tt.value, got, tt.err)
		}
		if got := fmt.Sprint(f.Warnings); (tt.warning == "") != (len(f.Warnings) == 0) || !strings.Contains(got, tt.warning) {
			t.Errorf("%s=%s: warnings %s, want %q", tt.name, tt.value, got, tt.warning)
		}
		for _, text := range append(strings.Split(fmt.Sprint(f.Errors), "\n"), fmt.Sprint(f.Warnings)) {
			if strings.Contains(text, "gs://") || strings.Contains(text, "pubsub://") {
				t.Errorf("%s=%s: advice for another cloud: %s", tt.name, tt.value, text)
			}
		}
	}
}

// Each program lists its own variables only.
func TestEnvironment_Variables(t *testing.T) {
	names := func(e settings.Environment) (names []string) {
		for _, v := range e.Variables() {
			names = append(names, v.Name)
			if strings.Contains(v.Meaning, "%") {
				t.Errorf("%s: %s", v.Name, v.Meaning)
			}
		}
		return names
	}
	google, lambda := names(environment(env())), names(ofLambda())
	onlyGoogle := []string{"PORT", "HOST", "METRICS_PORT", "MAX_HEADER", "HEADER_TIMEOUT", "BODY_TIMEOUT", "GOOGLE_CLOUD_PROJECT"}
	onlyLambda := []string{"AUTH_TOKENS_SECRET", "BASE_PATH"}
	for _, name := range slices.Concat(google, lambda) {
		if slices.Contains(google, name) != !slices.Contains(onlyLambda, name) || slices.Contains(lambda, name) != !slices.Contains(onlyGoogle, name) {
			t.Errorf("%s: in sink %t, in lambda %t", name, slices.Contains(google, name), slices.Contains(lambda, name))
		}
	}
	both := settings.Environment{Sinks: sink.NewRegistry(sink.Kind{Scheme: "gs"}, sink.Kind{Scheme: "pubsub"}, sink.Kind{Scheme: "s3"}, sink.Kind{Scheme: "sqs"})}
	for want, e := range map[string]settings.Environment{
		"can never be stored: a `gs:` or `pubsub:` URL;": environment(env()), "can never be stored: an `s3:` or `sqs:` URL;": ofLambda(), "can never be stored: a `gs:`, `pubsub:`, `s3:` or `sqs:` URL;": both,
		"path or `gs:` URL of": environment(env()), "path or `s3:` URL of": ofLambda(), "path or `gs:` or `s3:` URL of": both,
	} {
		if !slices.ContainsFunc(e.Variables(), func(v settings.Variable) bool { return strings.Contains(v.Meaning, want) }) {
			t.Errorf("no variable says %q", want)
		}
	}
}

// A program that cannot read secrets refuses the variable, in place of admitting everybody.
func TestEntry_secret(t *testing.T) {
	_, tokens, err := ofLambda("AUTH_TOKENS_SECRET", "arn:tokens").Entry()
	if err != nil || tokens.Secret == nil || !tokens.Any() {
		t.Errorf("%+v, error %v", tokens, err)
	}
	const want = "AUTH_TOKENS_SECRET: this program does not read secrets of AWS; set AUTH_TOKENS_FILE or AUTH_TOKENS"
	if _, _, err = environment(env("AUTH_TOKENS_SECRET", "arn:tokens")).Entry(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, _, err = ofLambda("AUTH_TOKENS_SECRET", "arn").Entry(); err == nil || err.Error() != "AUTH_TOKENS_SECRET: not an ARN" {
		t.Errorf("error %v", err)
	}
}

func TestEnvironment_BasePath(t *testing.T) {
	for value, want := range map[string]string{"": "", "/": "", "changes": "/changes", "/changes/": "/changes", " /a/b ": "/a/b"} {
		if got := ofLambda("BASE_PATH", value).BasePath(); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	if got := environment(env("BASE_PATH", "/changes")).BasePath(); got != "" {
		t.Errorf("a server has the base path %q", got)
	}
}

// Connect reads the secret, and says whether its tokens can be used, but not which they are.
func TestConnect_secret(t *testing.T) {
	for text, want := range map[string]string{
		"secret-secret-secret": "", "short-secret": "token 1 has 12 bytes", "": "no tokens found", `{"a":"secret-secret-secret"}`: "the secret is JSON",
	} {
		e := ofLambda("SINKS", "log:", "AUTH_TOKENS_SECRET", "arn:tokens")
		e.Secret = func(string) (func(context.Context) ([]byte, error), error) {
			return func(context.Context) ([]byte, error) { return []byte(text), nil }, nil
		}
		c := e.Examine(nil).Connect(t.Context())
		if got := fmt.Sprint(c[0].Err); len(c) != 2 || c[0].Variable != "AUTH_TOKENS_SECRET" || c[0].URL != "arn:tokens" || (c[0].Err == nil) != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "secret-") {
			t.Errorf("%q: %+v, want %q", text, c, want)
		}
	}
}
