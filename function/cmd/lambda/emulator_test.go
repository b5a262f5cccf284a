package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// emulator is AWS's own emulator of Lambda, with the program as its function. It crashes if two
// invocations come at once.
type emulator struct {
	url string
	log changetest.Output
}

// freeAddress returns an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startEmulator starts the emulator of .ci/lambda. Where that cannot be built, it skips the
// test.
func startEmulator(t *testing.T, variables ...string) *emulator {
	t.Helper()
	if testing.Short() {
		t.Skip("building the emulator takes a while")
	}
	tool := exec.CommandContext(t.Context(), "go", "tool", "-n", "aws-lambda-rie")
	tool.Dir = "../../../.ci/lambda"
	path, err := tool.Output()
	if err != nil {
		t.Skipf("aws-lambda-rie cannot be built here: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	e := &emulator{url: "http://" + address + "/2015-03-31/functions/function/invocations"}
	c := exec.CommandContext(t.Context(), strings.TrimSpace(string(path)),
		"--runtime-interface-emulator-address", address, "--runtime-api-address", freeAddress(t), self)
	c.Env = append(changetest.Command(t).Env, variables...)
	c.Stdout, c.Stderr = &e.log, &e.log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it ends the program too
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	changetest.WaitFor(t, "a listening emulator", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return e
}

// invoke sends an event, and returns what the function has answered.
func (e *emulator) invoke(t *testing.T, event string) []byte {
	t.Helper()
	resp, err := http.Post(e.url, "application/json", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The program answers AWS's own emulator of its runtime, too.
func TestEmulator(t *testing.T) {
	e := startEmulator(t, "SINKS=log:?data=true", "AWS_LAMBDA_FUNCTION_TIMEOUT=12", "AWS_LAMBDA_FUNCTION_NAME=aerosink")
	for i := range 3 {
		if a := read(t, outcome{"response", e.invoke(t, post(i))}); a.StatusCode != http.StatusOK {
			t.Fatalf("%+v", a)
		}
	}
	e.log.Find(t, `("Requests":1)`)
	// The event of a queue fails.
	if body := e.invoke(t, `{"Records":[{"eventSource":"aws:sqs"}]}`); !strings.Contains(string(body), `"errorMessage":"an event of \"aws:sqs\"`) {
		t.Errorf("%s", body)
	}
	// The emulator cuts off an event of more than 6 MB, as Lambda may.
	large := strings.Replace(post(1), `"body":"`, `"body":"`+strings.Repeat(" ", 6<<20), 1)
	if a := read(t, outcome{"response", e.invoke(t, large)}); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%+v", a)
	}
	if a := read(t, outcome{"response", e.invoke(t, post(4))}); a.StatusCode != http.StatusOK {
		t.Errorf("%+v", a)
	}
}

// An invocation in a function with Lambda's default timeout of 3 s has time enough, one in a
// function with the shortest of 1 s too.
func TestEmulator_timeouts(t *testing.T) {
	e := startEmulator(t, "SINKS=log:", "AWS_LAMBDA_FUNCTION_TIMEOUT=1")
	if a := read(t, outcome{"response", e.invoke(t, post(1))}); a.StatusCode != http.StatusOK {
		t.Errorf("%+v", a)
	}
}
