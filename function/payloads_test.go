package function_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
	"github.com/aerosink/aerosink/testdata"
)

// payload is a body as Aerospike's connector sends it, or a variant of it.
type payload struct {
	name      string
	mediaType string
	coding    string // Content-Encoding; "" if there is none
	schema    string // path of the Avro schema; "" if there is none
	body      []byte
	changes   int
}

// payloads returns the samples in testdata and the captured XDR messages.
func payloads(t *testing.T) []payload {
	t.Helper()
	text, err := os.ReadFile(changetest.Testdata(t, "payloads", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Payloads []struct {
			File        string `json:"file"`
			ContentType string `json:"content_type"`
			Expect      struct {
				Msgs   []string
				Schema string
				Error  any
			}
		}
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	var all []payload
	for _, p := range index.Payloads {
		if p.Expect.Error != nil {
			continue
		}
		body, err := os.ReadFile(changetest.Testdata(t, "payloads", p.File))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(p.File) == ".hex" {
			body = []byte(sample(t, p.File))
		}
		one := payload{name: p.File, mediaType: p.ContentType, body: body, changes: max(1, len(p.Expect.Msgs))}
		if p.Expect.Schema != "" {
			one.schema = changetest.Testdata(t, "payloads", p.Expect.Schema)
		}
		all = append(all, one)
	}
	return append(all, captures(t)...)
}

// captures returns messages captured from real nodes, each after the version byte that
// Aerospike's connector sends first.
func captures(t *testing.T) (all []payload) {
	t.Helper()
	for line := range bytes.Lines(testdata.XDR) {
		var capture struct {
			Name, Hex, Kind, Origin string
			Valid                   bool
		}
		if err := json.Unmarshal(line, &capture); err != nil {
			t.Fatal(err)
		}
		if capture.Kind != "request" || capture.Origin != "capture" || !capture.Valid {
			continue
		}
		message, err := hex.DecodeString(capture.Hex)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, payload{name: capture.Name, mediaType: "application/octet-stream", body: append([]byte{1}, message...), changes: 1})
	}
	return all
}

// variants returns the payload in every form that Aerospike's reference allows.
func (p payload) variants(t *testing.T) []payload {
	all := []payload{p}
	add := func(name, mediaType string, body []byte, changes int) {
		v := p
		v.name, v.body, v.changes = name, body, changes
		if mediaType != "" {
			v.mediaType = mediaType
		}
		all = append(all, v)
	}
	twice := bytes.Repeat(p.body, 2)
	add("parameters and capitals", strings.ToUpper(p.mediaType)+"; charset=UTF-8", p.body, p.changes)
	switch {
	case p.mediaType == "application/json" && p.body[0] == '{' && p.changes == 1:
		var line bytes.Buffer
		if err := json.Compact(&line, p.body); err != nil {
			t.Fatal(err)
		}
		add("an array", "", []byte("["+string(p.body)+","+string(p.body)+"]"), 2)
		add("one after another", "", twice, 2)
		add("lines", "application/x-ndjson", append(append(line.Bytes(), '\n'), line.Bytes()...), 2)
	case strings.Contains(p.mediaType, "msgpack"):
		add("several messages", "", twice, 2)
		add("an array of messages", "application/msgpack", append([]byte{0x92}, twice...), 2)
	case p.mediaType == "application/octet-stream":
		add("several", "application/vnd.aerosink.xdr", twice, 2)
		add("without the byte in front", "", p.body[1:], 1)
		add("without the proto header", "", p.body[9:], 1)
		add("several without", "", bytes.Repeat(p.body[9:], 2), 2)
	}
	for coding, body := range map[string][]byte{"gzip": gzipped(t, p.body), "zstd": zstandard(t, p.body)} {
		v := p
		v.name, v.coding, v.body = coding, coding, body
		all = append(all, v)
	}
	return all
}

// Every variant of every payload is answered with 200 and stored in both sinks.
func TestServeHTTP_payloads(t *testing.T) {
	all := payloads(t)
	if len(all) < 20 {
		t.Fatalf("%d payloads", len(all))
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			cloud := sinktest.New(t)
			r, _ := newReceiver(t, env("SINKS", both, "AVRO_SCHEMA", p.schema))
			lines := 0
			for _, v := range p.variants(t) {
				before := len(cloud.Messages())
				req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(v.body))
				req.Header.Set("Content-Type", v.mediaType)
				if v.coding != "" {
					req.Header.Set("Content-Encoding", v.coding)
				}
				w := httptest.NewRecorder()
				if r.ServeHTTP(w, req); w.Code != http.StatusOK || w.Body.Len() > 0 {
					t.Errorf("%s: status %d: %s", v.name, w.Code, w.Body)
				}
				if n := len(cloud.Messages()) - before; n != v.changes {
					t.Errorf("%s: %d messages, want %d", v.name, n, v.changes)
				}
				lines = max(lines, v.changes)
			}
			archived := 0
			for _, o := range cloud.Objects(t) {
				archived += bytes.Count(o.Content, []byte{'\n'})
			}
			if archived < lines {
				t.Errorf("%d lines in the archive, want at least %d", archived, lines)
			}
		})
	}
}
