package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// writeArchive writes an archive of n changes, 100 in each file, and returns its folder and
// its lines.
func writeArchive(t *testing.T, n int) (folder string, lines []string) {
	t.Helper()
	folder = t.TempDir()
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"msg":"write","key":["shop","orders","%s",%d],"gen":1,"exp":0,"lut":1795350896789,"bins":[]}`, strings.Repeat("A", 27)+"=", i))
	}
	for i, part := range slices.Collect(slices.Chunk(lines, 100)) {
		path := filepath.Join(folder, fmt.Sprintf("%03d.ndjson", i))
		if err := os.WriteFile(path, []byte(strings.Join(part, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, lines
}

// sinkCommand runs the program and returns its output.
func sinkCommand(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = program(environment(variables), nil).Run(t.Context(), args, cli.Streams{Stdout: &out, Stderr: &log})
	return out.String(), log.String(), err
}

func TestReplay(t *testing.T) {
	cloud := sinktest.New(t)
	folder, lines := writeArchive(t, 250)
	sinks := sinktest.PubSubSink + ", " + sinktest.ArchiveSink
	out, log, err := sinkCommand(t, map[string]string{"SINKS": sinks, "DEAD_LETTERS": "nonsense"}, "replay", folder, "--rate", "1e6")
	if err != nil || out != "replayed: 3 objects, 250 changes\n" || log != "" {
		t.Errorf("%q, %q, error %v", out, log, err)
	}
	var got []string
	for _, m := range cloud.Messages() {
		got = append(got, string(m.Data))
	}
	slices.Sort(got)
	slices.Sort(lines)
	if diff := cmp.Diff(lines, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	first := cloud.Objects(t)
	if _, _, err := sinkCommand(t, nil, "replay", "-to="+sinktest.ArchiveSink, folder); err != nil {
		t.Error(err)
	}
	if again := cloud.Objects(t); len(again) != len(first) || len(first) != 3 {
		t.Errorf("%d objects, %d after the second replay", len(first), len(again))
	}
}

// A dead letter with a bare Avro datum is read with the schema that AVRO_SCHEMA names,
// which may be in Cloud Storage.
func TestReplay_schemaInCloudStorage(t *testing.T) {
	cloud := sinktest.New(t)
	const schema = "gs://" + sinktest.Bucket + "/schemas/shop.avsc"
	text, err := os.ReadFile(changetest.Testdata(t, "payloads", "avro-map-write.avro.hex"))
	if err != nil {
		t.Fatal(err)
	}
	datum, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(t.TempDir(), "letters.ndjson")
	deadLetter := sink.DeadLetter{MediaType: format.MediaAvro, Reason: "no schema"}
	if err := os.WriteFile(from, deadLetter.AppendLine(nil, &format.Parsed{Data: datum}), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"SINKS": sinktest.PubSubSink, "AVRO_SCHEMA": schema}
	if _, _, err := sinkCommand(t, variables, "replay", from); err == nil || !strings.Contains(err.Error(), "AVRO_SCHEMA: read "+schema) {
		t.Errorf("without the schema: error %v", err)
	}
	client, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	w := client.Bucket(sinktest.Bucket).Object("schemas/shop.avsc").NewWriter(t.Context())
	if text, err = os.ReadFile(changetest.Testdata(t, "payloads", "schema-map.avsc")); err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	out, log, err := sinkCommand(t, variables, "replay", from)
	if err != nil || out != "replayed: 1 object, 1 change\n" || len(cloud.Messages()) != 1 {
		t.Errorf("%q, %q, error %v, %d messages", out, log, err, len(cloud.Messages()))
	}
}

func TestReplay_flags(t *testing.T) {
	folder, _ := writeArchive(t, 3)
	empty := t.TempDir()
	token := filepath.Join(t.TempDir(), "no")
	for name, tt := range map[string]struct {
		args     []string
		out, err string
	}{
		"dry run":       {[]string{folder, "-dry-run"}, "found: 1 object, 3 changes\n", ""},
		"other set":     {[]string{"--set", "x", "--set=", folder, "--dry-run"}, "found: 1 object, 0 changes, 3 left out by the filter\n", ""},
		"namespace":     {[]string{"-namespace=shop", "-set=orders", folder, "-dry-run"}, "found: 1 object, 3 changes\n", ""},
		"since":         {[]string{"-since", "2026-11-22T12:34:57Z", "-dry-run", folder}, "found: 1 object, 0 changes, 3 left out by the filter\n", ""},
		"until":         {[]string{"-until", "2026-11-23", "-since", "2026-11-22", "-dry-run", folder}, "found: 1 object, 3 changes\n", ""},
		"empty":         {[]string{empty, "-dry-run"}, "found: 0 objects, 0 changes\n", empty + " has no objects; check the name, or allow that with -allow-empty"},
		"allowed empty": {[]string{empty, "-dry-run", "-allow-empty"}, "found: 0 objects, 0 changes\n", ""},
		"from":          {nil, "", "sink replay: missing FROM; run"},
		"two":           {[]string{folder, folder}, "", "sink replay: unexpected argument "},
		"time":          {[]string{folder, "-since", "yesterday"}, "", "want 2026-11-22T12:00:00Z, 2026-11-22T12:00Z, 2026-11-22 or 36h"},
		"nowhere":       {[]string{folder}, "", "no sinks: set SINKS, or name them with -to"},
		"unknown sink":  {[]string{folder, "-to", "ftp://x"}, "", `-to: "ftp://x": unknown kind of sink`},
		"flag":          {[]string{folder, "-y"}, "", "sink replay: unknown flag -y; run "},
		"no rate":       {[]string{folder, "-rate", "NaN"}, "", "want a number per second"},
		"below 0":       {[]string{folder, "-rate=-5"}, "", "want a number per second"},
		"itself":        {[]string{"gs://b/p/", "-to", "log:,gs://b/p?format=avro"}, "", "gs://b/p?format=avro is where the changes are read from"},
		"below":         {[]string{"gs://b", "-to", "gs://b/p/q"}, "", "gs://b/p/q is where the changes are read from"},
		"no host":       {[]string{folder, "-to", "http:x"}, "", "want https://HOST/PATH"},
		"no token file": {[]string{folder, "-to", "http://127.0.0.1", "-token-file", token}, "", "read -token-file: "},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := sinkCommand(t, nil, append([]string{"replay"}, tt.args...)...)
			if !strings.HasPrefix(out, tt.out) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q, error %v; want %q, %q", out, err, tt.out, tt.err)
			}
		})
	}
}

// collector is an HTTP destination that keeps the lines it receives.
type collector struct {
	mu      sync.Mutex
	lines   []string
	posts   int
	tokens  []string
	entered chan struct{} // if not nil, gets a value for each request, which then gets no response
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.posts++
	c.tokens = append(c.tokens, r.Header.Get("Authorization"))
	c.lines = append(c.lines, strings.Split(strings.TrimSpace(string(body)), "\n")...)
	hold := c.entered
	if c.posts < 3 {
		hold = nil
	}
	c.mu.Unlock()
	if hold != nil {
		hold <- struct{}{}
		<-r.Context().Done()
	}
}

// A replay that was killed continues from its checkpoint: every change arrives, and at most
// one chunk arrives twice.
func TestReplay_killed(t *testing.T) {
	folder, lines := writeArchive(t, 500)
	c := &collector{entered: make(chan struct{})}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	arguments := []string{"replay", folder, "--to", server.URL, "--checkpoint", checkpoint}
	t.Setenv("REPLAY_TOKEN", "secret")
	killed := changetest.Command(t, arguments...)
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	<-c.entered // the third chunk has arrived, without a response
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	c.mu.Lock()
	c.entered = nil
	c.mu.Unlock()
	out, log, err := sinkCommand(t, map[string]string{"REPLAY_TOKEN": "secret"}, arguments...)
	if err != nil || out != "replayed: 5 objects, 500 changes\n" || !strings.Contains(log, "continuing after chunk 1 of "+filepath.Join(folder, "001.ndjson")) {
		t.Errorf("%q, %q, error %v", out, log, err)
	}
	if want := slices.Concat(lines[:300], lines[200:]); !slices.Equal(c.lines, want) {
		t.Errorf("%d lines, want %d: one chunk twice", len(c.lines), len(want))
	}
	if tokens := slices.Compact(c.tokens); !slices.Equal(tokens, []string{"Bearer secret"}) {
		t.Errorf("tokens %q", tokens)
	}
	if _, err := os.Stat(checkpoint); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint still exists: %v", err)
	}
}
