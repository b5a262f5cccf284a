package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
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

// start runs the sink on a free port and returns its URL.
func start(t *testing.T, variables map[string]string) (url string, stop func(), ended <-chan error) {
	t.Helper()
	variables["PORT"] = "0"
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var log changetest.Output
	end := make(chan error, 1)
	go func() { end <- serve(ctx, environment(variables), &log) }()
	return "http://127.0.0.1:" + log.Find(t, `msg="sink started" address=\S+:(\d+)`), cancel, end
}

// The help names the variables that most installations set; env prints all of them.
func TestEnv(t *testing.T) {
	help, _, err := sinkCommand(t, nil, "help")
	if err != nil {
		t.Fatal(err)
	}
	env, _, err := sinkCommand(t, map[string]string{"AUTH_TOKENS": "hidden"}, "env")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range newEnvironment(environment(nil)).Variables() {
		row := regexp.MustCompile(`(?m)^  ` + v.Name + ` +` + v.Default + ` +` + v.Unit + `  `)
		if v.Unit == "" || !row.MatchString(env) {
			t.Errorf("no %s with default %q and unit %q in:\n%s", v.Name, v.Default, v.Unit, env)
		}
	}
	for _, name := range []string{"SINKS", "DEAD_LETTERS", "PORT"} {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("no %s in:\n%s", name, help)
		}
	}
	if strings.Contains(env, "hidden") || strings.Contains(help, "MAX_DEPTH") {
		t.Errorf("env:\n%s\nhelp:\n%s", env, help)
	}
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

// HOST is the address of both ports.
func TestServe_host(t *testing.T) {
	for host, want := range map[string]string{"127.0.0.1": `127\.0\.0\.1:\d+`, "": `(\[::\]|0\.0\.0\.0):\d+`} {
		ctx, stop := context.WithCancel(t.Context())
		var log changetest.Output
		ended := make(chan error, 1)
		go func() {
			ended <- serve(ctx, environment(map[string]string{"HOST": host, "PORT": "0", "METRICS_PORT": "0", "SINKS": "log:"}), &log)
		}()
		for _, message := range []string{"sink started", "serving metrics"} {
			if address := log.Find(t, `msg="`+message+`" address=(\S+)`); !regexp.MustCompile("^" + want + "$").MatchString(address) {
				t.Errorf("HOST=%s, %s: address %s", host, message, address)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	err := serve(t.Context(), environment(map[string]string{"HOST": "192.0.2.1", "PORT": "0", "SINKS": "log:"}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "listen on 192.0.2.1, port 0: ") || !strings.Contains(err.Error(), "set another address in HOST or port in PORT") {
		t.Errorf("error %v", err)
	}
}

// An invalid environment is reported in full, and nothing is opened.
func TestServe_invalidEnvironment(t *testing.T) {
	err := serve(t.Context(), environment(map[string]string{"SINKS": "x:", "TIMEOUT": "x", "PORT": "x"}), io.Discard)
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("error %v, want a line and three errors", err)
	}
}

func TestServe_portTaken(t *testing.T) {
	url, _, _ := start(t, map[string]string{"SINKS": "log:"})
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	err := serve(t.Context(), environment(map[string]string{"SINKS": "log:", "PORT": port}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "set another port in PORT") {
		t.Errorf("error %v", err)
	}
}

// On SIGTERM, a request in flight is answered once its changes are durable, and the exit
// status is 0.
func TestServe_SIGTERM(t *testing.T) {
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
