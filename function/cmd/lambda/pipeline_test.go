package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	delivery "github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// asConnector is set to the URL of the function in the environment of a process that is to run
// as a connector. Its XDR port is the file 3.
const asConnector = "LAMBDA_TEST_CONNECTOR"

// connectorMain runs a connector until it is killed.
func connectorMain() {
	l, err := net.FileListener(os.NewFile(3, "xdr"))
	if err != nil {
		panic(err)
	}
	manage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	to, err := url.Parse(os.Getenv(asConnector))
	if err != nil {
		panic(err)
	}
	pipeline.NewConnector(l, manage).Start(pipeline.StartConfig{
		URL: to, Config: delivery.Config{Protocol: delivery.HTTP1, Connections: 8, Streams: 1, ConnectTimeout: time.Second},
		Format: json.Format{StringifyMapKeys: true}, MaxBytes: 4 << 20, Log: slog.New(slog.DiscardHandler),
	})
	select {}
}

// connectorProcess is a connector that can be killed. Its port stays open meanwhile, and the
// next process accepts what has connected.
type connectorProcess struct {
	port *os.File
	to   string
	*exec.Cmd
}

func (c *connectorProcess) start(t *testing.T) {
	t.Helper()
	c.Cmd = changetest.Command(t)
	c.Env = append(c.Environ(), asConnector+"="+c.to)
	c.ExtraFiles = []*os.File{c.port}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill kills the process as kill -9 does.
func (c *connectorProcess) kill() {
	_ = c.Process.Kill()
	_ = c.Wait()
}

// environment is what Lambda does around the function: it gives it one event at a time, and
// starts another process after one was killed.
type environment struct {
	t         *testing.T
	invoking  chan struct{} // has a value while an invocation runs; who came first is next
	mu        sync.Mutex
	p         *process
	gone      chan struct{} // closed once p is dead
	variables []string
}

// revive starts a process unless one runs. It must be called on the goroutine of the test.
func (e *environment) revive() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.p != nil {
		select {
		case <-e.gone:
		default:
			return
		}
	}
	p, gone := start(e.t, e.variables...), make(chan struct{})
	e.p, e.gone = p, gone
	go func() {
		_, _ = p.Process.Wait()
		close(gone)
	}()
}

// kill kills the process as kill -9 does.
func (e *environment) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.p.Process.Kill()
}

var errKilled = errors.New("the process was killed")

// Invoke implements [gateway.Function].
func (e *environment) Invoke(_ context.Context, event []byte) ([]byte, error) {
	e.invoking <- struct{}{}
	defer func() { <-e.invoking }()
	e.mu.Lock()
	p, gone := e.p, e.gone
	e.mu.Unlock()
	done := make(chan outcome, 1)
	p.mu.Lock()
	p.last++
	id := "invocation-" + strconv.Itoa(p.last)
	p.pending[id] = done
	p.mu.Unlock()
	select {
	case p.invoking <- invocation{id, string(event), time.Now().Add(enough)}:
	case <-gone:
		return nil, errKilled
	}
	select {
	case o := <-done:
		if o.path != "response" {
			return nil, fmt.Errorf("%s %s", o.path, o.body)
		}
		return o.body, nil
	case <-gone:
		return nil, errKilled
	}
}

// ledger is the front, and checks each answer against the queue before it leaves: what an
// answer says is stored must be there already.
type ledger struct {
	t     *testing.T
	front http.Handler
	cloud *awstest.Cloud

	before func(request int) // called before the answer to a request leaves

	mu       sync.Mutex
	read     int // messages
	stored   map[xdrtest.Version]bool
	order    map[change.Digest][]xdrtest.Version // first occurrences
	requests int
	statuses map[int]int
	traced   int // changes that were said to be stored
}

// look reads the messages that have arrived since the last call.
func (l *ledger) look() {
	messages := l.cloud.SQS.Messages(awstest.Queue)
	for _, m := range messages[l.read:] {
		v := l.versions([]byte(m.Body), "application/json")[0]
		if m.Group == "" || m.DeduplicationID == "" {
			l.t.Errorf("a message of %v has group %q and deduplication id %q", v, m.Group, m.DeduplicationID)
		}
		if !l.stored[v] {
			l.stored[v] = true
			l.order[v.Digest] = append(l.order[v.Digest], v)
		}
	}
	l.read = len(messages)
}

// versions returns the versions of the changes in a body.
func (l *ledger) versions(body []byte, contentType string) []xdrtest.Version {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	parsed, err := formats.Parser{MetadataKey: pipeline.MetadataKey}.Parse(mediaType, body)
	if err != nil {
		l.t.Errorf("%v in %s", err, body)
	}
	versions := make([]xdrtest.Version, len(parsed))
	for i := range parsed {
		versions[i] = xdrtest.VersionOf(&parsed[i].Change)
	}
	return versions
}

// ServeHTTP implements [http.Handler].
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connector was killed
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	l.front.ServeHTTP(answer, r)
	if len(body) > 0 {
		l.check(r, body, answer)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the connector may be dead
}

// check checks the answer to a request.
func (l *ledger) check(r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	l.statuses[answer.Code]++
	l.look()
	versions := l.versions(body, r.Header.Get("Content-Type"))
	said := report.Parse(answer.Header(), answer.Body.Bytes(), len(versions))
	for i, v := range versions {
		if answer.Code != http.StatusOK && (said == nil || said.Retried()[i]) {
			continue
		}
		l.traced++
		if !l.stored[v] {
			l.t.Errorf("request %d: status %d says that %v is stored, and no message has it", l.requests, answer.Code, v)
		}
	}
	l.before(l.requests)
}

// From the database to SQS, while the function and the connector are killed with kill -9,
// answers of SQS are lost, calls and entries fail, and calls are throttled: everything that an
// answer calls stored is in the queue at that moment, every version that the database considers
// shipped is there in the end, and the versions of a record are in order.
func TestPipeline_kills(t *testing.T) {
	const records, rounds = 30, 40
	cloud := awstest.Start(t)
	e := &environment{t: t, invoking: make(chan struct{}, 1), variables: []string{"SINKS=" + awstest.QueueSink + "?ordering=8"}}
	e.revive()
	var killConnector atomic.Bool
	l := &ledger{
		t: t, front: &gateway.Gateway{Front: gateway.HTTPAPI2, Function: e}, cloud: cloud,
		stored: map[xdrtest.Version]bool{}, order: map[change.Digest][]xdrtest.Version{}, statuses: map[int]int{},
		before: func(request int) {
			if request%25 == 11 {
				killConnector.Store(true)
			}
		},
	}
	var faults struct{ calls, throttled, lost, dropped, entries, kills int }
	random := rand.New(rand.NewPCG(1, 2))
	cloud.SQS.Fail(func(call *fake.SQSCall) {
		if call.Operation != "SendMessageBatch" {
			return
		}
		faults.calls++
		if faults.calls%60 == 17 { // it is stored, and nobody learns that
			faults.kills++
			e.kill()
			return
		}
		switch n := faults.calls % 10; {
		case faults.calls%40 == 30: // rarely, because the sink then waits for long
			faults.throttled++
			call.Error = "ThrottlingException"
		case n == 1:
			faults.lost++
			call.LoseAnswer = true
		case n == 2:
			faults.dropped++
			call.DropConnection = true
		case n == 3 || n == 4:
			faults.entries++
			call.FailEntry = map[int]fake.SQSError{random.IntN(len(call.Entries)): {Code: "InternalError"}}
		}
	})
	front := httptest.NewServer(l)
	defer front.Close()

	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	file, err := port.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := &connectorProcess{port: file, to: front.URL}
	c.start(t)
	defer func() { c.kill() }()

	var mu sync.Mutex
	shipped := map[xdrtest.Version]bool{}
	source := &xdrtest.Source{
		Address: port.Addr().String(), Connections: 4, RetryAfter: 5 * time.Millisecond,
		Answered: func(r xdrtest.Reply) {
			if r.Code == xdr.OK {
				mu.Lock()
				shipped[r.Version] = true
				mu.Unlock()
			}
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx) })
	defer running.Wait()
	defer stop()

	history, connectorKills := map[xdrtest.Version]int{}, 0
	care := func() { // for what was killed
		e.revive()
		if killConnector.Swap(false) {
			connectorKills++
			c.kill()
			c.start(t)
		}
	}
	requests := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.requests
	}
	for round := range rounds {
		for i := range records {
			d := change.Digest{byte(i), byte(i * 7), byte(i)}
			v := source.Write(change.Change{Namespace: "shop", Set: "orders", Digest: d, Bins: []change.Bin{{Name: "round", Value: change.IntegerValue(int64(round))}}})
			history[v] = len(history) + 1
			if round%10 == 9 && i%3 == 0 {
				history[source.Delete("shop", d, change.DurableDelete)] = len(history) + 1
			}
		}
		before := requests()
		changetest.WaitFor(t, "the next request", func() bool {
			care()
			return requests() > before
		})
	}
	changetest.WaitFor(t, "the end of the backlog", func() bool {
		care()
		s := source.Stats()
		return s.InQueue+s.InProgress == 0
	})
	if err := source.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}

	mu.Lock() // the last reply may be counted before Answered has returned
	defer mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	for v := range shipped {
		if !l.stored[v] {
			t.Errorf("%v was shipped, and is in no message", v)
		}
	}
	for d, v := range source.Newest("shop") {
		if !l.stored[v] {
			t.Errorf("%v is the newest version of its record, and is in no message", v)
		}
		if n := len(l.order[d]); l.order[d][n-1] != v {
			t.Errorf("the last message of %v is %v, want %v", d, l.order[d][n-1], v)
		}
	}
	for d, versions := range l.order {
		if !slices.IsSortedFunc(versions, func(a, b xdrtest.Version) int { return history[a] - history[b] }) {
			t.Errorf("versions of record %v are out of order: %v", d, versions)
		}
	}
	t.Logf("%d versions written, %d shipped, %d messages, %d requests with statuses %v, %d changes traced; faults %+v; the connector was killed %d times",
		len(history), len(shipped), l.read, l.requests, l.statuses, l.traced, faults, connectorKills)
	if connectorKills < 2 || min(faults.kills, faults.throttled, faults.lost, faults.dropped, faults.entries) == 0 || l.statuses[http.StatusOK] == 0 || l.traced < records*rounds/8 {
		t.Error("too little has happened")
	}
}
