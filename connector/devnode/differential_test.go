package devnode_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
)

// The tests of this file compare the node with a server of release 8.0. AEROSPIKE_HOST is the
// HOST:PORT of one; it needs a namespace "test" with an nsup-period. Without it, what a server
// answered before is in testdata.

// recorded is the file with scripts and what a server answered to them. Its comment says how
// it is recorded, and how it is read.
const recorded = "testdata/server-8.0.0.15.txtar"

// generated is the beginning of the names of the recorded scripts that rapid has drawn.
const generated = "generated "

// recordedScripts are how many scripts of rapid are recorded, at the level of the wire and of the
// Go client.
const recordedScripts, recordedClientScripts = 300, 100

// newNodeWire returns a wire to a node of its own, on whose clock time passes at once.
func newNodeWire(t testing.TB) *wire {
	t.Helper()
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	n, err := devnode.Listen("127.0.0.1:0", devnode.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(n.Addr())
	w.now = now
	w.wait = func(d time.Duration) { passed.Add(int64(d)) }
	t.Cleanup(func() {
		w.close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// newServerWire returns a wire to the server of AEROSPIKE_HOST, nil if there is none.
func newServerWire(t testing.TB) *wire {
	t.Helper()
	address, ok := devnodetest.Server()
	if !ok {
		return nil
	}
	w := newWire(address)
	t.Cleanup(w.close)
	return w
}

// Scripts of any commands have the same outcome.
func TestDifferential_anyScript(t *testing.T) { compareAny(t, scripts()) }

// Scripts of any commands of the Go client have the same outcome.
func TestDifferential_anyClientScript(t *testing.T) { compareAny(t, clientScripts()) }

func compareAny(t *testing.T, scripts *rapid.Generator[script]) {
	t.Helper()
	server := newServerWire(t)
	if server == nil {
		t.Skip("AEROSPIKE_HOST is not set")
	}
	node := newNodeWire(t)
	rapid.Check(t, func(t *rapid.T) {
		s := scripts.Draw(t, "script")
		want, err := server.run(s)
		if err != nil {
			t.Fatal("server:", err)
		}
		got, err := node.run(s)
		if err != nil {
			t.Fatal("node:", err)
		}
		for i := range s {
			if !want[i].same(got[i]) {
				t.Fatalf("command %d, %s\nserver:\n%snode:\n%s", i, s[i], want[i], got[i])
			}
		}
	})
}

// What a server answered to recorded scripts, the node answers too. With UPDATE_STORIES and
// AEROSPIKE_HOST the outcomes are recorded again.
func TestDifferential_recorded(t *testing.T) {
	archive, err := txtar.ParseFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	server := newServerWire(t)
	if os.Getenv("UPDATE_STORIES") != "" && server != nil {
		record(t, archive, server)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			steps := parseSteps(string(f.Data))
			compare(t, "node", newNodeWire(t), steps, func(s step) []scriptOutcome { return []scriptOutcome{s.ofNode()} })
			if server != nil { // one of the Enterprise Edition answers as the node does
				compare(t, "server", server, steps, func(s step) []scriptOutcome { return []scriptOutcome{s.server, s.ofNode()} })
			}
		})
	}
}

// compare runs a script and compares its outcomes with those wanted, of which there may be
// several.
func compare(t *testing.T, name string, w *wire, steps []step, want func(step) []scriptOutcome) {
	t.Helper()
	var s script
	for _, st := range steps {
		s = append(s, st.command)
	}
	got, err := w.run(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i, st := range steps {
		if !slices.ContainsFunc(want(st), got[i].same) {
			t.Errorf("command %d of the script, %s\nrecorded:\n%s%s:\n%s", i, st.command, want(st)[0], name, got[i])
			return // what follows depends on it
		}
	}
}

// step is a command of a recorded script.
type step struct {
	comment string // the lines in front
	command string
	server  scriptOutcome
	node    scriptOutcome // nil if it is the server's
}

func (s step) ofNode() scriptOutcome {
	if s.node != nil {
		return s.node
	}
	return s.server
}

const serverPrefix, nodePrefix = "> ", "node> "

// parseSteps reads a recorded script.
func parseSteps(text string) []step {
	var steps []step
	comment := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
			comment += line + "\n"
		case strings.HasPrefix(line, serverPrefix):
			last := &steps[len(steps)-1]
			last.server = append(last.server, strings.TrimPrefix(line, serverPrefix))
		case strings.HasPrefix(line, nodePrefix):
			last := &steps[len(steps)-1]
			last.node = append(last.node, strings.TrimPrefix(line, nodePrefix))
		default:
			steps = append(steps, step{comment: comment, command: line})
			comment = ""
		}
	}
	return steps
}

// record runs the scripts of an archive on a server, draws those of rapid again, and writes
// the file.
func record(t *testing.T, archive *txtar.Archive, server *wire) {
	t.Helper()
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, generated) })
	draw := func(name string, scripts *rapid.Generator[script], n int) {
		for seed := range n {
			f := txtar.File{Name: fmt.Sprintf("%s%s%03d", generated, name, seed)}
			f.Data = []byte(strings.Join(scripts.Example(seed), "\n") + "\n")
			archive.Files = append(archive.Files, f)
		}
	}
	draw("", scripts(), recordedScripts)
	draw("for the Go client ", clientScripts(), recordedClientScripts)
	for i := range archive.Files {
		f := &archive.Files[i]
		steps := parseSteps(string(f.Data))
		var s script
		for _, st := range steps {
			s = append(s, st.command)
		}
		outcomes, err := server.run(s)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		var b strings.Builder
		for i, st := range steps {
			fmt.Fprintf(&b, "%s%s\n%s", st.comment, st.command, outcomes[i])
			for _, line := range st.node {
				fmt.Fprintf(&b, "%s%s\n", nodePrefix, line)
			}
		}
		f.Data = []byte(b.String())
	}
	if err := os.WriteFile(recorded, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A scan brings each record once and whole, on a server and on the node, while others are
// written, deleted and created.
func TestDifferential_scanWhileWritesGoOn(t *testing.T) {
	for name, w := range map[string]*wire{"node": newNodeWire(t), "server": newServerWire(t)} {
		t.Run(name, func(t *testing.T) {
			if w == nil {
				t.Skip("AEROSPIKE_HOST is not set")
			}
			scanWhileWritesGoOn(t, w)
		})
	}
}

func scanWhileWritesGoOn(t *testing.T, w *wire) {
	t.Helper()
	if err := w.connect(); err != nil {
		t.Fatal(err)
	}
	const kept, scans = 200, 20
	set := w.sets["t"]
	key := func(i int) *as.Key {
		k, err := as.NewKey("test", set, fmt.Sprintf("%x-%d", w.salt, i))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	put := func(i, value int) as.Error {
		return w.cluster.Put(nil, key(i), as.BinMap{"a": value, "b": value, "i": i})
	}
	t.Cleanup(func() {
		for i := range 2 * kept {
			if _, err := w.cluster.Delete(nil, key(i)); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range kept {
		if err := put(i, 0); err != nil {
			t.Fatal(err)
		}
	}
	var done atomic.Bool
	var writers sync.WaitGroup
	writers.Go(func() {
		for n := 1; !done.Load(); n++ {
			err := put(n%kept, n)
			if err == nil {
				err = put(kept+n%kept, n)
			}
			if err == nil {
				_, err = w.cluster.Delete(nil, key(kept+(n+kept/2)%kept))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range scans {
		checkScan(t, w.cluster, set, kept)
	}
	done.Store(true)
	writers.Wait()
}

// checkScan scans a set, whose records from 0 to kept-1 stay.
func checkScan(t *testing.T, client *as.Client, set string, kept int) {
	t.Helper()
	records, err := client.ScanAll(nil, "test", set)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for r := range records.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if r.Record.Bins["a"] != r.Record.Bins["b"] {
			t.Errorf("a record is torn: %v", r.Record.Bins)
		}
		seen[r.Record.Bins["i"].(int)]++
	}
	for i, n := range seen {
		if n > 1 {
			t.Errorf("record %d came %d times", i, n)
		}
	}
	for i := range kept {
		if seen[i] == 0 {
			t.Errorf("record %d did not come", i)
		}
	}
}
