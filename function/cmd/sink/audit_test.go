package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// auditedNode starts a node with n records that were written an hour ago, and returns its URL
// and a folder with an archive of those that has selects. The changes
// are queued in source, nil if nothing is shipped.
func auditedNode(t *testing.T, n int, source *xdrtest.Source, has func(i int) bool) (node *devnode.Node, url, folder string) {
	t.Helper()
	var behind atomic.Int64
	behind.Store(int64(time.Hour))
	node = devnodetest.Start(t, devnode.Config{
		Namespaces: []string{"shop"}, Source: source,
		Now: func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) },
	})
	folder = t.TempDir()
	var lines []byte
	for i := range n {
		c := change.Change{Namespace: "shop", Set: "orders", Bins: []change.Bin{{Name: "secret", Value: change.IntegerValue(int64(i))}}}
		binary.LittleEndian.PutUint64(c.Digest[:], uint64(i)*0x9e3779b97f4a7c15) // in all partitions
		v := node.Source().Write(c)
		if c.Generation, c.LUT = v.Generation, v.LUT; !has(i) {
			continue
		}
		var err error
		if lines, err = (jsonformat.Format{}).Append(lines, &c); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "0.ndjson"), lines, 0o600); err != nil {
		t.Fatal(err)
	}
	behind.Store(0)
	return node, "aerospike://" + node.Addr() + "/shop", folder
}

func all(int) bool { return true }

// exit returns the exit status of a command that has ended.
func exit(t *testing.T, err error) int {
	t.Helper()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.ExitCode()
	}
	t.Fatal(err)
	return -1
}

func TestAudit_status(t *testing.T) {
	_, whole, wholeFolder := auditedNode(t, 100, nil, all)
	_, url, folder := auditedNode(t, 100, nil, func(i int) bool { return i%50 != 7 })
	_, damaged, damagedFolder := auditedNode(t, 100, nil, all)
	if err := os.WriteFile(filepath.Join(damagedFolder, "1.avro"), []byte("Obj\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string // in the output
	}{
		{"everything is there", []string{wholeFolder, "-against", whole}, 0, "100  the same"},
		{"two are missing", []string{folder, "--against", url}, 1, "sink audit: 2 findings\n"},
		{"two are missing, printed", []string{folder, "--against=" + url + "/orders", "-print", "1"}, 1, "and 1 finding more"},
		{"another set", []string{folder, "-against", url + "/others"}, 3, `has no record of namespace "shop", set "others"`},
		{"a damaged object", []string{damagedFolder, "-against", damaged}, 3, "INCOMPLETE: 1 object"},
		{"no cluster", []string{folder, "-against", "aerospike://127.0.0.1:1/shop"}, 3, "connect to Aerospike at 127.0.0.1:1"},
		{"no namespace", []string{folder, "-against", strings.Replace(url, "/shop", "/stop", 1)}, 3, "has no namespace stop, only shop"},
		{"no findings file", []string{folder, "-against", url, "-findings", folder}, 3, "create the file of findings"},
		{"nothing to rewind", []string{folder, "-against", url, "-repair", "print", "-margin", "1s"}, 3, "ships the namespace"},
		{"nothing to compare with", []string{folder}, 2, "-against: want aerospike://HOST:PORT/NAMESPACE[/SET]"},
		{"not a cluster", []string{folder, "-against", "gs://a/b"}, 2, "-against: want aerospike:"},
		{"an unknown parameter", []string{folder, "-against", url + "?mod=raw"}, 2, "-against: "},
		{"a fence without a set", []string{url, "-against", url}, 2, "the URL of the fence"},
		{"a fence, and a set", []string{url + "/states?mode=fence&ttl=1h", "-against", url + "/orders"}, 2, "a fence does not know sets"},
		{"another format", []string{folder, "-against", url, "-o", "yaml"}, 2, "want text or json"},
		{"another repair", []string{folder, "-against", url, "-repair", "magic"}, 2, "want no, print or rewind"},
		{"a negative margin", []string{folder, "-against", url, "-margin", "-1s"}, 2, "must not be negative"},
	} {
		c := changetest.Command(t, append([]string{"audit"}, tt.args...)...)
		out, err := c.CombinedOutput()
		if status := exit(t, err); status != tt.status || !strings.Contains(string(out), tt.want) || strings.Contains(string(out), "secret") {
			t.Errorf("%s: exit status %d, want %d, and %q in:\n%s", tt.name, status, tt.status, tt.want, out)
		}
	}
}

// With -o json the output is nothing but objects, and with -findings a file has them too.
func TestAudit_json(t *testing.T) {
	_, url, folder := auditedNode(t, 100, nil, func(i int) bool { return i%50 != 7 })
	file := filepath.Join(t.TempDir(), "findings")
	stdout, _, err := sinkCommand(t, nil, "audit", folder, "-against", url, "-o", "json", "-print", "0", "-findings", file)
	if err == nil || err.Error() != "sink audit: 2 findings" {
		t.Errorf("error %v", err)
	}
	var kinds []string
	for line := range strings.Lines(stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if kind, ok := object["kind"].(string); ok {
			kinds = append(kinds, kind)
		} else if object["summary"] == nil {
			t.Errorf("neither a finding nor the summary: %q", line)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || len(kinds) != 2 || !strings.HasPrefix(stdout, string(text)) || strings.Count(string(text), "\n") != 2 {
		t.Errorf("error %v, findings %v, in the file:\n%s", err, kinds, text)
	}
}

// An audit that was killed continues where it was, and reports what one without that reports.
func TestAudit_killed(t *testing.T) {
	_, url, folder := auditedNode(t, 2000, nil, func(i int) bool { return i%20 != 7 })
	want, _, err := sinkCommand(t, nil, "audit", folder, "-against", url, "-o", "json")
	if err == nil || err.Error() != "sink audit: 100 findings" {
		t.Fatalf("error %v", err)
	}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	args := []string{"audit", folder, "-against", url, "-o", "json", "-checkpoint", checkpoint}
	c := changetest.Command(t, append(args, "-rate", "500")...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "a checkpoint after a range", func() bool {
		text, err := os.ReadFile(checkpoint)
		var saved struct{ Next, PendingCount int }
		return err == nil && json.Unmarshal(text, &saved) == nil && saved.Next > 100 && saved.PendingCount > 0
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	got, _, err := sinkCommand(t, nil, args...)
	if err == nil || err.Error() != "sink audit: 100 findings" {
		t.Errorf("error %v", err)
	}
	findings := func(out string) string { return out[:max(strings.LastIndex(strings.TrimSpace(out), "\n"), 0)] }
	if findings(got) != findings(want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if left, err := filepath.Glob(checkpoint + "*"); err != nil || len(left) > 0 {
		t.Errorf("%v is left, error %v", left, err)
	}
}

// With -repair=print the command that repairs is printed, and with -repair=rewind it is given.
// An audit says that XDR is behind.
func TestAudit_repair(t *testing.T) {
	node, url, folder := auditedNode(t, 100, &xdrtest.Source{}, func(i int) bool { return i%50 != 7 })
	command := regexp.MustCompile(`asinfo -v 'set-config:context=xdr;dc=` + devnode.DC + `;namespace=shop;action=add;rewind=(\d+)'\n`)
	const dropped = "the function drops what it has stored in the last 10 minutes as repeated, and a fence what it has recorded as stale, even if the archive has lost it\n"
	for _, tt := range []struct {
		how           string
		least, most   int // seconds
		rewinds       int
		before, after string
	}{
		{"print", 7200, 7400, 0, "to ship them again within the hour, run on " + node.Addr() + ": ", dropped + "if the archive has lost it, give the fence another set, and restart the function, before you run the commands\n"},
		{"rewind", 3600, 3800, 1, "rewound on " + node.Addr() + ": ", dropped + "when XDR has shipped all that, audit again; if the same is found, give the fence another set, restart the function, and rewind again\n"},
	} {
		stdout, stderr, err := sinkCommand(t, nil, "audit", folder, "-against", url, "-repair", tt.how)
		if err == nil || err.Error() != "sink audit: 2 findings" || !strings.Contains(stderr, "in shipping to "+devnode.DC+", more than the margin") {
			t.Errorf("%s: error %v, %q", tt.how, err, stderr)
		}
		found := command.FindStringSubmatch(stdout)
		if found == nil || !strings.HasSuffix(stdout, tt.before+found[0]+tt.after) {
			t.Fatalf("%s: no command in:\n%s", tt.how, stdout)
		}
		if seconds, err := strconv.Atoi(found[1]); err != nil || seconds < tt.least || seconds > tt.most {
			t.Errorf("%s: %d seconds, want %d to %d, error %v", tt.how, seconds, tt.least, tt.most, err)
		}
		if n := node.Source().Stats().Recoveries; n != tt.rewinds {
			t.Errorf("%s: %d rewinds, want %d", tt.how, n, tt.rewinds)
		}
	}
}
