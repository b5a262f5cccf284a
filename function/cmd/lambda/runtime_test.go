package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(asConnector) != "" {
		changetest.Main(m, connectorMain)
	}
	changetest.Main(m, main)
}

// runtimeStub is the Runtime API of Lambda
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
type runtimeStub struct {
	server   *httptest.Server
	invoking chan invocation
	asked    chan struct{} // receives when the process asks for an invocation

	mu      sync.Mutex
	last    int // number of the last invocation
	pending map[string]chan<- outcome
}

type invocation struct {
	id       string
	event    string
	deadline time.Time
}

// outcome is what the process has POSTed.
type outcome struct {
	path string // response or error
	body []byte
}

func newRuntimeStub(t testing.TB) *runtimeStub {
	s := &runtimeStub{invoking: make(chan invocation), asked: make(chan struct{}, 1000), pending: map[string]chan<- outcome{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		s.asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case i := <-s.invoking:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1")
			_, _ = io.WriteString(w, i.event)
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{path}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.pending[r.PathValue("id")] <- outcome{r.PathValue("path"), body}
		s.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

// send gives an event to the process, once it asks, and returns where the outcome will be.
func (s *runtimeStub) send(t testing.TB, event string, timeout time.Duration) <-chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	s.mu.Lock()
	s.last++
	id := fmt.Sprintf("invocation-%d", s.last)
	s.pending[id] = done
	s.mu.Unlock()
	select {
	case s.invoking <- invocation{id, event, time.Now().Add(timeout)}:
	case <-time.After(30 * time.Second):
		t.Fatal("the process does not ask for an invocation")
	}
	return done
}

// answer is what the process answers.
type answer struct {
	StatusCode int
	Body       string
}

// invoke sends an event and waits for its answer.
func (s *runtimeStub) invoke(t testing.TB, event string, timeout time.Duration) answer {
	t.Helper()
	return read(t, <-s.send(t, event, timeout))
}

func read(t testing.TB, o outcome) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(o.body, &a); err != nil || o.path != "response" {
		t.Fatalf("%s %s: %v", o.path, o.body, err)
	}
	return a
}

// process is the program as Lambda runs it.
type process struct {
	*exec.Cmd
	*runtimeStub
	log changetest.Output // stdout
}

// start starts the program with variables, as NAME=value.
func start(t testing.TB, variables ...string) *process {
	t.Helper()
	return startCommand(t, changetest.Command(t), variables...)
}

// startCommand is like start for another binary.
func startCommand(t testing.TB, c *exec.Cmd, variables ...string) *process {
	t.Helper()
	p := &process{Cmd: c, runtimeStub: newRuntimeStub(t)}
	p.Env = append(p.Environ(), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(p.server.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=aerosink")
	p.Env = append(p.Env, variables...)
	p.Stdout = &p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

// post returns an event of an HTTP API, with changes whose digests begin with the numbers.
func post(numbers ...int) string {
	var body strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&body, `{"msg":"delete","key":["n",null,"%024d000=",null],"gen":2,"lut":1795350896789,"durable":false}`+"\n", n)
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": "/", "headers": map[string]string{"content-type": "application/x-ndjson"},
		"requestContext": map[string]any{"stage": "$default", "http": map[string]string{"method": "POST"}},
		"body":           body.String(), "isBase64Encoded": false,
	})
	if err != nil {
		panic(err)
	}
	return string(event)
}

const enough = 12 * time.Second

func TestRuntime_answers(t *testing.T) {
	p := start(t, "SINKS=log:?data=true")
	for i := range 3 {
		if a := p.invoke(t, post(i), enough); a.StatusCode != http.StatusOK {
			t.Fatalf("%+v", a)
		}
		p.log.Find(t, fmt.Sprintf("(%024d)000=", i))
	}
	p.log.Find(t, `(?m)^(\{"_aws":.*"Requests":1,.*)$`)
}

// Records of the log name the invocation and its trace.
func TestRuntime_log(t *testing.T) {
	p := start(t, "SINKS=log:")
	event := strings.Replace(post(1), "/x-ndjson", "/x-unknown", 1)
	if a := p.invoke(t, event, enough); a.StatusCode != http.StatusServiceUnavailable && a.StatusCode != http.StatusUnsupportedMediaType {
		t.Fatalf("%+v", a)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(p.log.Find(t, `(?m)^(\{"timestamp".*)$`)), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"level": "ERROR", "requestId": "invocation-1", "traceId": "1-67891233-abcdef012345678912345678"} {
		if line[name] != want {
			t.Errorf("%s: %v, want %v", name, line[name], want)
		}
	}
}

// An invocation with too little time is answered before it is killed.
func TestRuntime_deadline(t *testing.T) {
	p := start(t, "SINKS=log:")
	a := p.invoke(t, post(1), 300*time.Millisecond)
	if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.Body, "set the function's timeout") {
		t.Errorf("%+v", a)
	}
	if a := p.invoke(t, post(1), enough); a.StatusCode != http.StatusOK {
		t.Errorf("%+v", a)
	}
}

// A process whose settings are wrong starts, and says in each answer what to change.
func TestRuntime_wrongSettings(t *testing.T) {
	p := start(t, "SINKS=kafka://a/b")
	for range 2 {
		if a := p.invoke(t, post(1), enough); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.Body, "SINKS: ") {
			t.Errorf("%+v", a)
		}
	}
	p.log.Find(t, "(cannot open the sinks yet)")
	p.log.Find(t, `("Ready":0)`)
}

// The event of a queue fails the invocation, so that Lambda does not delete its messages.
func TestRuntime_eventOfAQueue(t *testing.T) {
	p := start(t, "SINKS=log:")
	if o := <-p.send(t, `{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`, enough); o.path != "error" || !strings.Contains(string(o.body), "aws:sqs") {
		t.Errorf("%s %s", o.path, o.body)
	}
	if a := p.invoke(t, post(1), enough); a.StatusCode != http.StatusOK {
		t.Errorf("%+v", a)
	}
}

// A managed instance asks for as many invocations at once as it may run.
func TestRuntime_concurrent(t *testing.T) {
	const most = 8
	p := start(t, "SINKS=log:?data=true", "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(most))
	for range most {
		<-p.asked
	}
	var answers []<-chan outcome
	for i := range 10 * most {
		answers = append(answers, p.send(t, post(i), enough))
	}
	for i, o := range answers {
		if a := read(t, <-o); a.StatusCode != http.StatusOK {
			t.Errorf("invocation %d: %+v", i, a)
		}
		p.log.Find(t, fmt.Sprintf("(%024d)000=", i))
	}
}

// Lambda ends a process with SIGTERM or kills it. What was answered 200 is in the sink, and
// the next process answers.
func TestRuntime_ends(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			p := start(t, "SINKS=log:?data=true")
			if a := p.invoke(t, post(1), enough); a.StatusCode != http.StatusOK {
				t.Fatalf("%+v", a)
			}
			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = p.Wait() // the signal is its error
			if !strings.Contains(p.log.String(), fmt.Sprintf("%024d000=", 1)) {
				t.Error("the change is not in the sink")
			}
			if a := start(t, "SINKS=log:").invoke(t, post(2), enough); a.StatusCode != http.StatusOK {
				t.Errorf("%+v", a)
			}
		})
	}
}
