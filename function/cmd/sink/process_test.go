package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// sinkProcess is the sink as a separate process, with the test's environment.
type sinkProcess struct {
	*exec.Cmd
	url string
	log changetest.Output
}

func startProcess(t *testing.T) *sinkProcess {
	t.Helper()
	t.Setenv("PORT", "0")
	p := &sinkProcess{Cmd: changetest.Command(t)}
	p.Stderr = &p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.url = "http://127.0.0.1:" + p.log.Find(t, `msg="sink started" address=\S+:(\d+)`)
	return p
}

// deletion returns a delete, with a different digest for each i.
func deletion(i int) string {
	return fmt.Sprintf(`{"msg":"delete","key":["n",null,"%024d000=",null],"gen":2,"lut":1795350896789,"durable":false}`, i)
}

var digests = regexp.MustCompile(`"key":\["n",null,"(\d{27}=)"`)

// countDigests adds the digests in text to stored.
func countDigests(stored map[string]int, text []byte) {
	for _, match := range digests.FindAllSubmatch(text, -1) {
		stored[string(match[1])]++
	}
}

// senders POST batches until the process accepts no more, and record the digests that got
// status 200.
type senders struct {
	t        *testing.T
	url      string
	sending  sync.WaitGroup
	mu       sync.Mutex
	next     int
	accepted []string // digests
}

// batch returns a body that was not sent before, and the digests in it.
func (s *senders) batch() (body string, of []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 5 {
		line := deletion(s.next)
		s.next++
		body += line + "\n"
		of = append(of, digests.FindStringSubmatch(line)[1])
	}
	return body, of
}

// start starts n senders.
func (s *senders) start(n int) {
	for range n {
		s.sending.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for {
				body, of := s.batch()
				resp, err := c.Post(s.url, "application/x-ndjson", strings.NewReader(body))
				if err != nil {
					return
				}
				_ = resp.Body.Close()
				switch resp.StatusCode {
				case http.StatusOK:
					s.mu.Lock()
					s.accepted = append(s.accepted, of...)
					s.mu.Unlock()
				case http.StatusServiceUnavailable: // it is stopping
				default:
					s.t.Errorf("status %d", resp.StatusCode)
					return
				}
			}
		})
	}
}

// SIGTERM while batches are in flight, fifty times: the process exits with status 0, which it
// does only if all were answered in time, and every change that got status 200 is stored in
// each sink.
func TestProcess_SIGTERMInBatches(t *testing.T) {
	cloud := sinktest.New(t)
	t.Setenv("SINKS", sinktest.PubSubSink+","+sinktest.ArchiveSink)
	arrived := make(chan struct{}, 1)
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		select {
		case arrived <- struct{}{}:
		default:
		}
		<-time.After(time.Millisecond) // slow enough for more requests to arrive
		return nil
	})
	s := &senders{t: t}
	answered := 0
	for i := range 50 {
		p := startProcess(t)
		s.url = p.url
		for len(arrived) > 0 {
			<-arrived // from the previous process
		}
		s.start(4)
		for range 1 + i%3 {
			<-arrived
		}
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%v\n%s", err, p.log.String())
		}
		s.sending.Wait()
		if len(s.accepted) > answered {
			answered = len(s.accepted)
		} else {
			t.Errorf("process %d accepted nothing", i)
		}
	}
	published, archived := map[string]int{}, map[string]int{}
	for _, m := range cloud.Messages() {
		countDigests(published, m.Data)
	}
	for _, o := range cloud.Objects(t) {
		countDigests(archived, o.Content)
	}
	for _, digest := range s.accepted {
		if published[digest] != 1 || archived[digest] != 1 {
			t.Errorf("%s was published %d times and archived %d times", digest, published[digest], archived[digest])
		}
	}
	t.Logf("%d of %d changes accepted", len(s.accepted), s.next)
}

// If a process is killed after it has written an object and before it has replied, the
// sender sends the request again, and no second object is written.
func TestProcess_killedBeforeReply(t *testing.T) {
	cloud := sinktest.New(t)
	t.Setenv("SINKS", sinktest.ArchiveSink)
	p := startProcess(t)
	stored, killed := make(chan struct{}), make(chan struct{})
	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		cloud.PassStorage(r)
		close(stored)
		<-killed
		w.WriteHeader(http.StatusGone) // the process is gone
	})
	body := deletion(1) + "\n" + deletion(2) + "\n"
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Post(p.url, "application/x-ndjson", strings.NewReader(body))
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-stored
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
	close(killed)
	if err := <-failed; err == nil {
		t.Error("a killed process has replied")
	}
	cloud.FailStorage(nil)
	if n := len(cloud.Objects(t)); n != 1 {
		t.Fatalf("%d objects before the request is sent again, want 1", n)
	}

	p = startProcess(t)
	resp, err := http.Post(p.url, "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if n := len(cloud.Objects(t)); resp.StatusCode != http.StatusOK || n != 1 {
		t.Errorf("sent again: status %d, %d objects", resp.StatusCode, n)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log.String())
	}
}

// TestProcess_coldStart logs the time from the start of the process to its first reply.
func TestProcess_coldStart(t *testing.T) {
	cloud := sinktest.New(t)
	t.Setenv("SINKS", sinktest.PubSubSink)
	began := time.Now()
	p := startProcess(t)
	listening := time.Since(began)
	resp, err := http.Post(p.url, "application/json", strings.NewReader(deletion(1)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	first := time.Since(began)
	t.Logf("listens after %s, stored a change after %s", listening.Round(time.Millisecond), first.Round(time.Millisecond))
	if resp.StatusCode != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d, %d messages after %s", resp.StatusCode, len(cloud.Messages()), first)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log.String())
	}
}
