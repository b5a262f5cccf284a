package main

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A process that is killed between publishing a change and recording it repeats the change. One
// that is killed later does not, and no process publishes an older version.
func TestProcess_killedBetweenPublishAndState(t *testing.T) {
	cloud := sinktest.New(t)
	var held atomic.Bool
	held.Store(true)
	published, killed := make(chan struct{}), make(chan struct{})
	node := devnodetest.Start(t, devnode.Config{Namespaces: []string{"state"}, Fault: func(c devnode.Command) devnode.Fault {
		if !c.Writes || !held.Swap(false) {
			return devnode.Fault{}
		}
		close(published)
		<-killed
		return devnode.Fault{DropBefore: true}
	}})
	fence := "aerospike://" + node.Addr() + "/state/fence?mode=fence"
	t.Setenv("SINKS", sinktest.PubSubSink+","+fence)
	post := func(p *sinkProcess, change string) (answer string, err error) {
		req, err := http.NewRequest(http.MethodPost, p.url, strings.NewReader(change))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(body)), err
	}
	change := deletion(1)
	older := strings.Replace(change, `"lut":1795350896789`, `"lut":1795350896788`, 1)

	p := startProcess(t)
	p.log.Find(t, `msg="sink started".* fence="aerospike://`)
	failed := make(chan error, 1)
	go func() {
		_, err := post(p, change)
		failed <- err
	}()
	<-published
	if n := len(cloud.Messages()); n != 1 {
		t.Errorf("%d messages when the state is written, want 1", n)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
	close(killed)
	if err := <-failed; err == nil {
		t.Error("a killed process has replied")
	}
	for i, want := range []string{`{"changes":1,"stored":1}`, `{"changes":1,"stored":0,"stale":1}`} {
		p = startProcess(t)
		if got, err := post(p, change); err != nil || got != want {
			t.Errorf("process %d: %s, %v, want %s", i+2, got, err, want)
		}
		if got, err := post(p, older); err != nil || got != `{"changes":1,"stored":0,"stale":1}` {
			t.Errorf("process %d, an older version: %s, %v", i+2, got, err)
		}
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%v\n%s", err, p.log.String())
		}
	}
	if n := len(cloud.Messages()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}
