package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/cli/clitest"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// lambdaCommand runs the program, not under Lambda, and returns its output.
func lambdaCommand(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	var out, log bytes.Buffer
	err = program(func(name string) string { return variables[name] }, environ).Run(t.Context(), args, cli.Streams{Stdout: &out, Stderr: &log})
	return out.String(), log.String(), err
}

func TestProgram_family(t *testing.T) {
	clitest.Run(t, func() *cli.Program { return program(func(string) string { return "" }, nil) })
}

// The build sets the version with -X main.stamp.
func TestProgram_stamp(t *testing.T) {
	defer func(old string) { stamp = old }(stamp)
	stamp = "v1.2.3"
	if out, _, err := lambdaCommand(t, nil, "version"); err != nil || !strings.HasPrefix(out, "lambda v1.2.3 (") {
		t.Errorf("%q, error %v", out, err)
	}
}

// Started by a person without a command, it says that only Lambda can do that.
func TestProgram_notUnderLambda(t *testing.T) {
	process := changetest.Command(t)
	out, _ := process.CombinedOutput() // the exit status is checked below
	const want = "lambda: this is a function of AWS Lambda, which starts it with AWS_LAMBDA_RUNTIME_API; elsewhere name a command; run \"lambda help\"\n"
	if process.ProcessState.ExitCode() != 2 || string(out) != want {
		t.Errorf("exit status %d, %q", process.ProcessState.ExitCode(), out)
	}
}

// check prints every error and every warning of a Lambda environment, and no secret.
func TestCheck_everyError(t *testing.T) {
	variables := map[string]string{
		"SINKS": "kinesis:x, s3://archive/changes?region=eu-west-1&linger=1s, pubsub://shop/changes", "DEAD_LETTERS": "log:", "TIMEOUT": "x", "PORT": "8080",
		"BASE_PATH": "https://example.com", "AUTH_TOKENS_SECRET": "nobody-may-see-this", "AUTH_TOKENS": "nobody", "MAX_BODY": "33MiB", "SINK": "x", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
	}
	out, _, err := lambdaCommand(t, variables, "check")
	if err == nil || err.Error() != "lambda check: 7 errors, 5 warnings" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"error: TIMEOUT: invalid duration",
		"error: AUTH_TOKENS: token 1 has 6 bytes",
		"error: AUTH_TOKENS_SECRET: not the ARN of a secret; want arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
		`error: BASE_PATH: invalid path "https://example.com": want for example /changes`,
		`error: SINKS: "kinesis:x": `,
		`error: SINKS: "pubsub://shop/changes": unknown kind of sink; want one of log:, `,
		"error: DEAD_LETTERS: a log is not durable; set for example s3://BUCKET/dead-letters",
		"warning: SINKS: s3://archive/changes?region=eu-west-1&linger=1s: one request runs at a time",
		"warning: PORT: has no effect on AWS Lambda",
		"warning: MAX_BODY: AWS Lambda takes events up to 6 MiB",
		"warning: MAX_INFLATED: a body of 67108864 bytes takes more than the 128 MB of this function",
		"warning: SINK: unknown variable; did you mean SINKS?",
	} {
		if !strings.Contains(out, "\n"+want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "nobody") || strings.Contains(out, "gs://") {
		t.Errorf("a secret, or advice for another cloud, in:\n%s", out)
	}
}

// With -connect, check finds out whether the sinks and the secret can be used.
func TestCheck_connect(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Secrets.SetText("tokens", "a-token-nobody-may-see\n")
	variables := map[string]string{
		"SINKS": awstest.QueueSink + "," + awstest.ArchiveSink, "DEAD_LETTERS": "s3://nowhere/dead?region=" + fake.Region, "AUTH_TOKENS_SECRET": fake.SecretARN("tokens"),
	}
	out, _, err := lambdaCommand(t, variables, "check", "-connect")
	if err == nil || !strings.HasPrefix(err.Error(), "lambda check: 1 error, ") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"connect: AUTH_TOKENS_SECRET: " + fake.SecretARN("tokens") + ": ok\n", "connect: SINKS: " + awstest.ArchiveSink + ": ok\n",
		"connect: SINKS: " + awstest.QueueSink + ": ", "connect: DEAD_LETTERS: s3://nowhere/dead?region=eu-west-1: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "nobody") {
		t.Errorf("a token in:\n%s", out)
	}
}

// A function with a secret admits its tokens, and logs none of them. Without the secret it is
// not open to everybody.
func TestSecret(t *testing.T) {
	for name, tt := range map[string]struct {
		call   fake.Call
		status int // of a request with a token
		log    string
	}{
		"read":   {fake.Call{}, http.StatusOK, ""},
		"denied": {fake.Call{Error: "AccessDeniedException"}, http.StatusServiceUnavailable, "grant the role of the function secretsmanager:GetSecretValue"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := awstest.Start(t)
			const token = "a-token-nobody-may-see"
			cloud.Secrets.SetText("tokens", token+"\n")
			cloud.Secrets.Fail(func(c *fake.SecretsCall) { c.Call = tt.call })
			variables := map[string]string{"SINKS": awstest.QueueSink, "AUTH_TOKENS_SECRET": fake.SecretARN("tokens")}
			getenv := func(name string) string { return variables[name] }
			var log bytes.Buffer
			receiver := function.New(newEnvironment(getenv), slog.New(newLogHandler(&log, getenv)))
			if err := errors.Join(receiver.Open(), receiver.Open()); err != nil {
				t.Fatal(err)
			}
			post := func(token string) int {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
				req.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				receiver.ServeHTTP(w, req)
				return w.Code
			}
			if got := post(token); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if got := post("another-token-of-somebody"); got == http.StatusOK {
				t.Error("everybody is admitted")
			}
			if n := cloud.Secrets.Reads(); n != 1 {
				t.Errorf("the secret was read %d times, want once, before the first request", n)
			}
			if !strings.Contains(log.String(), tt.log) || strings.Contains(log.String(), "nobody") {
				t.Errorf("log %s", &log)
			}
			if err := receiver.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// AWS.md's table of variables has those that only this program has, and no others.
func TestPage_variables(t *testing.T) {
	page, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range newEnvironment(func(string) string { return "" }).Variables() {
		text := string(page)
		if strings.Contains(string(readme), "\n| `"+v.Name+"` |") {
			text = string(readme)
		}
		if !strings.Contains(text, "\n| `"+v.Name+"` |") || v.Default == "" && text == string(page) && !strings.Contains(text, "| `"+v.Name+"` | | "+v.Meaning+" |\n") {
			t.Errorf("no row of %s in AWS.md", v.Name)
		}
	}
}
