package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestMain(m *testing.M) { changetest.Main(m, main) }

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// start runs the sink on any port and returns its URL.
func start(t *testing.T, variables map[string]string) (url string, stop func(), ended <-chan error) {
	t.Helper()
	variables["PORT"] = "0"
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var log changetest.Output
	end := make(chan error, 1)
	go func() { end <- run(ctx, environment(variables), &log) }()
	return "http://127.0.0.1:" + log.Find(t, `msg="sink started" address=\S+:(\d+)`), cancel, end
}

func TestServe(t *testing.T) {
	cloud := sinktest.New(t)
	url, stop, ended := start(t, map[string]string{"SINKS": sinktest.PubSubSink})
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"msg":"delete","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Sg=",null]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d, %d messages", resp.StatusCode, len(cloud.Messages()))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Nothing is opened when the environment is wrong; all that is wrong is said.
func TestFaults(t *testing.T) {
	err := run(t.Context(), environment(map[string]string{"SINKS": "x:", "TIMEOUT": "x", "PORT": "x"}), io.Discard)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %v, want three lines", err)
	}
}

func TestPortTaken(t *testing.T) {
	url, _, _ := start(t, map[string]string{"SINKS": "log:"})
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	err := run(t.Context(), environment(map[string]string{"SINKS": "log:", "PORT": port}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "set another PORT") {
		t.Errorf("error %v", err)
	}
}

// On SIGTERM a request in flight is answered when it is durable, and the exit is 0.
func TestSIGTERM(t *testing.T) {
	cloud := sinktest.New(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		close(arrived)
		<-release
		return nil
	})
	t.Setenv("SINKS", sinktest.PubSubSink)
	t.Setenv("PORT", "0")
	var log changetest.Output
	process := changetest.Command(t)
	process.Stderr = &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + log.Find(t, `msg="sink started" address=\S+:(\d+)`)
	status := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+address, "application/json", strings.NewReader(`{"msg":"delete","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Sg=",null]}`))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-arrived
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "a closed port", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(release)
	if got := <-status; got != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d, %d messages", got, len(cloud.Messages()))
	}
	if err := process.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
}
