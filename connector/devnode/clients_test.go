package devnode_test

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
)

// client is a client of Aerospike that carries out commands, which has an implementation for
// each version and language.
type client interface {
	name() string
	run(call) outcome
}

// server is where clients connect to: a node of the test, or the server that AEROSPIKE_HOST
// names.
type server struct {
	address, namespace string
	real               bool
}

// kind is who has codes of its own in the table.
func (s *server) kind() string {
	if s.real {
		return "server"
	}
	return "node"
}

// newServer returns the server to test. If it is a real one, AEROSPIKE_HOST is its HOST or
// HOST:PORT. Its namespace is that of AEROSPIKE_NAMESPACE, test by default, and needs neither
// durable deletes nor an nsup-period.
func newServer(t testing.TB) server {
	t.Helper()
	if address, ok := devnodetest.Server(); ok {
		return server{address, cmp.Or(os.Getenv("AEROSPIKE_NAMESPACE"), "test"), true}
	}
	return server{listen(t, devnode.Config{}).Addr(), "test", false}
}

// clients has a function that connects for each client.
var clients = []struct {
	name    string
	connect func(t testing.TB, address string) client
}{
	{"v7", func(t testing.TB, address string) client { return newClientV7(t, address) }},
	{"v8", func(t testing.TB, address string) client { return newClientV8(t, address) }},
	{"npm", func(t testing.TB, address string) client { return newClientNPM(t, address) }},
}

// Every client gets the outcomes of the table.
func TestClients_table(t *testing.T) {
	s := newServer(t)
	run := fmt.Sprintf("t%d", time.Now().UnixNano()%1e9) // a real server keeps records between runs
	for _, connect := range clients {
		t.Run(connect.name, func(t *testing.T) {
			c := connect.connect(t, s.address)
			for _, story := range readStories(t, s.namespace, run+connect.name) {
				t.Run(story.title, func(t *testing.T) {
					skipStory(t, &story, s, c)
					for i, cmd := range story.commands {
						if cmd.Do == "truncate" { // which spares what was written in the same millisecond
							now := time.Now()
							changetest.WaitFor(t, "the next millisecond", func() bool { return time.Since(now) > 2*time.Millisecond })
						}
						got := c.run(cmd)
						if text := got.differs(story.want[i], c.name(), s.kind()); text != "" {
							t.Errorf("%s: %s", story.lines[i], text)
						}
						if cmd.Do == "truncate" && s.real { // a server truncates a moment after its answer
							scan := call{Do: "scan", Namespace: cmd.Namespace, Set: cmd.Set}
							changetest.WaitFor(t, "an empty set", func() bool { return *c.run(scan).Count == 0 })
						}
					}
				})
			}
		})
	}
}

// skipStory skips a story that the client cannot express, or that the server lacks something
// for.
func skipStory(t *testing.T, s *story, on server, c client) {
	t.Helper()
	switch {
	case s.has("go") && c.name() == "npm":
		t.Skip("this client cannot express it")
	case s.has("enterprise") && !on.allows(c, call{Do: "delete", Durable: true}):
		t.Skip("the server is not Enterprise Edition")
	case s.has("ttl") && !on.expires(c):
		t.Skip("the namespace has no nsup-period")
	}
}

// expires reports whether records of the namespace may have a time to live.
func (s *server) expires(c client) bool {
	return s.allows(c, call{Do: "put", TTL: "1000", Bins: []bin{{"a", "1"}}})
}

// allows reports whether the server carries out what its edition or configuration may forbid.
func (s *server) allows(c client, probe call) bool {
	probe.Namespace, probe.Set, probe.Key = s.namespace, "probe", `"k"`
	const forbidden, enterpriseOnly = 22, 25
	code := c.run(probe).Code
	return code != forbidden && code != enterpriseOnly
}

// The drivers of the two Go clients are the same source, so that outcomes differ only if the
// clients do.
func TestClients_sameDriver(t *testing.T) {
	var texts []string
	for _, version := range []string{"7", "8"} {
		text, err := os.ReadFile("clients_v" + version + "_test.go")
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.NewReplacer("v"+version, "v", "V"+version, "V").Replace(string(text)))
	}
	if texts[0] != texts[1] {
		t.Error("clients_v7_test.go and clients_v8_test.go differ in more than the version; change both")
	}
}
