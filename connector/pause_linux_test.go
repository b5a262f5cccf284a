package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/xdr"
)

func TestMain(m *testing.M) { changetest.Main(m, serveChild) }

// childBudget is the budget of the connector of serveChild.
const childBudget = 2 * time.Second

// serveChild runs a connector in a process of its own, which a test can stop. It prints its
// address.
func serveChild() {
	there, err := url.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	d := deliver.New(deliver.Config{
		Name: "there", URLs: []*url.URL{there}, Config: post.Config{Connections: 1, Streams: 100, ConnectTimeout: time.Minute}, Queue: 1000, CallTimeout: time.Minute,
	})
	s := New(Config{
		Pipelines: allSets(pipelineTo(d)), MaxRecords: 1000, MaxBytes: 1 << 20, MaxMessageBytes: 1 << 20, Budget: childBudget,
		Metrics: NewMetrics(prometheus.NewRegistry(), "test"), Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("address=%s\n", l.Addr())
	_ = s.Serve(context.Background(), l) // until the process is killed
}

// What came while the process was stopped for longer than the budget is not sent, whether
// the database still waits for the replies or has given up.
func TestServer_stoppedProcess(t *testing.T) {
	var mu sync.Mutex
	sent := map[int64]bool{}
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var c struct{ Bins []struct{ Value int64 } }
		if err != nil || json.Unmarshal(body, &c) != nil {
			t.Errorf("body %q, %v", body, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		sent[c.Bins[0].Value] = true
	}))
	there.Config.Protocols = new(http.Protocols)
	there.Config.Protocols.SetUnencryptedHTTP2(true)
	there.Start()
	defer there.Close()
	var log changetest.Output
	process := changetest.Command(t, there.URL)
	process.Stdout, process.Stderr = &log, os.Stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	r := &rig{address: log.Find(t, `address=(\S+)`)}
	waiting, reset := r.dial(t), r.dial(t)
	for i, n := range []*node{waiting, reset} {
		n.ship(t, write(t, "s", i))
		n.wantReplies(t, xdr.OK)
	}

	signal := func(s syscall.Signal) {
		if err := process.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	changetest.WaitFor(t, "a stopped process", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.Process.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	waiting.ship(t, write(t, "s", 10), write(t, "s", 11))
	reset.ship(t, write(t, "s", 12))
	if err := reset.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	reset.Close()
	shipped := time.Now()
	changetest.WaitFor(t, "the end of the budget", func() bool { return time.Since(shipped) > childBudget })
	signal(syscall.SIGCONT)

	waiting.wantReplies(t, xdr.Retry, xdr.Retry)
	log.Find(t, "connection lost")
	waiting.ship(t, write(t, "s", 13))
	waiting.wantReplies(t, xdr.OK)
	mu.Lock()
	defer mu.Unlock()
	for i := range int64(14) {
		if want := i < 2 || i == 13; sent[i] != want {
			t.Errorf("change %d was sent: %t, want %t", i, sent[i], want)
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // it was killed
}
