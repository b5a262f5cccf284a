package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// binary is the connector as a separate process, which can be killed.
type binary struct {
	*exec.Cmd
	xdr, manage string
	log         *changetest.Output
}

// startBinary runs the connector with a configuration that lacks the ports. XDR gets port,
// or a free one if it is 0. The process has env in addition to the test's environment.
func startBinary(t *testing.T, port int, config string, env ...string) *binary {
	t.Helper()
	return startServing(t, fmt.Sprintf("port: %d, address: 127.0.0.1", port), config, env...)
}

// startServing is like startBinary, but takes the keys of the section service, in flow
// style, instead of the port.
func startServing(t *testing.T, service, config string, env ...string) *binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.yml")
	service = fmt.Sprintf("service: {%s, manage: {port: 0, address: 127.0.0.1}}\n", service)
	if err := os.WriteFile(path, []byte(service+config), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &binary{Cmd: changetest.Command(t, "-config", path), log: new(changetest.Output)}
	b.Env = append(b.Env, env...)
	b.Stderr = b.log
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	b.xdr = b.log.Find(t, `"xdr":\["([^"]+)"`)
	b.manage = "http://" + b.log.Find(t, `"manage":\["([^"]+)"`)
	return b
}

// port returns the XDR port.
func (b *binary) port(t *testing.T) int {
	t.Helper()
	_, text, _ := strings.Cut(b.xdr, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// metric returns the value of a metric, whose name may have labels. It is 0 if there is no
// such metric yet.
func (b *binary) metric(t *testing.T, name string) float64 {
	t.Helper()
	for line := range strings.Lines(get(t, b.manage+"/metrics")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != name {
			continue
		}
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return 0
}

// answered returns the number of changes with one of ESP's statuses.
func (b *binary) answered(t *testing.T, status string) int {
	t.Helper()
	return int(b.metric(t, `aerospike_esp_outbound_requests{cluster_name="aerosink",status="`+status+`"}`))
}

// terminate sends SIGTERM. The process must exit with status 0 within the drain timeout.
func (b *binary) terminate(t *testing.T) {
	t.Helper()
	const drain = 10 * time.Second
	begin := time.Now()
	if err := b.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(); err != nil || time.Since(begin) > drain+time.Second {
		t.Errorf("after %v: %v\n%s", time.Since(begin), err, b.log)
	}
}

// forward returns a configuration that sends every change to url. More is keys of the
// destination, in flow style.
func forward(url, more string) string {
	return fmt.Sprintf("destinations: {there: {urls: [%q], call-timeout: 8s, connect-timeout: 5s%s}}\nrouting: {mode: static, destination: there}\nformat: json\n", url, more)
}

const batching = "batching: {max-records: 100}\n"

func digest(i int) change.Digest {
	return change.Digest{byte(i), byte(i >> 8), 12: byte(i), 19: byte(i)}
}

func user(set string, i int) change.Change {
	return change.Change{
		Namespace: "test", Set: set, Digest: digest(i), Key: change.IntegerValue(int64(i)),
		Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(int64(i))}, {Name: "name", Value: change.StringValue([]byte("somebody"))}},
	}
}

// The sets that live writes to.
const users, secret = "users", "secret"

// setOf returns the set that live writes a record to: every tenth is secret.
func setOf(d change.Digest) string {
	if (int(d[0])|int(d[1])<<8)%10 == 9 {
		return secret
	}
	return users
}

// live writes n records, updates half of them, and deletes half of those.
func live(s *xdrtest.Source, n int) {
	for i := range n {
		s.Write(user(setOf(digest(i)), i))
	}
	for i := range n / 2 {
		s.Write(user(setOf(digest(i)), i))
	}
	for i := range n / 4 {
		s.Delete("test", digest(i), change.Op(1+i%2))
	}
}

// ship runs the source until the test ends.
func ship(t *testing.T, s *xdrtest.Source) {
	t.Helper()
	var running sync.WaitGroup
	running.Go(func() { s.Run(t.Context()) })
	t.Cleanup(running.Wait)
}

// offer writes rate changes per second, to the same records every ten seconds, until stop
// is called or the test ends.
func offer(t *testing.T, s *xdrtest.Source, rate int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		const every = 5 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i, begin := 0, time.Now(); ; {
			for due := int(time.Since(begin).Seconds() * float64(rate)); i < due; i++ {
				s.Write(user("users", i%(10*rate)))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); writing.Wait() }
}

// settle waits until the source has shipped everything.
func settle(t *testing.T, s *xdrtest.Source) {
	t.Helper()
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantNewest checks that the ledger has the newest version of each record of the source,
// except in skipped sets.
func wantNewest(t *testing.T, s *xdrtest.Source, l *delivertest.Ledger, skipped ...string) {
	t.Helper()
	want := s.Newest("test")
	maps.DeleteFunc(want, func(d change.Digest, _ xdrtest.Version) bool { return slices.Contains(skipped, setOf(d)) })
	if diff := cmp.Diff(want, l.Newest()); diff != "" {
		t.Errorf("the newest versions (-source +destination):\n%s", diff)
	}
}

// acknowledged records the replies to a source.
type acknowledged struct {
	mu       sync.Mutex
	versions []xdrtest.Version // that got an OK reply
	slowest  time.Duration     // of all replies
	retries  int
}

func (a *acknowledged) note(r xdrtest.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slowest = max(a.slowest, r.Took)
	if r.Code == xdr.OK {
		a.versions = append(a.versions, r.Version)
	} else {
		a.retries++
	}
}

func (a *acknowledged) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.versions)
}

// wantAll checks that every change that got an OK reply is at the destination.
func (a *acknowledged) wantAll(t *testing.T, l *delivertest.Ledger) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.versions {
		if !l.Has(v) {
			t.Fatalf("record %s generation %d got an OK reply and is not at the destination", v.Digest, v.Generation)
		}
	}
}
