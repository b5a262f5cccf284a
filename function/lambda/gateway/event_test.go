package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// fixed makes the times and identifiers of g those of the golden events.
func fixed(g *Gateway) *Gateway {
	g.now = func() time.Time { return time.Date(2026, 7, 29, 18, 7, 28, 0, time.UTC) }
	g.newID = func() string { return "id" }
	return g
}

// The events are written by hand, after AWS's documentation. Each file has a gateway as
// FRONT [STAGE [TYPES]], the head of a request, its body as a Go string, and the event.
func TestEvent(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	seen := map[Front]bool{}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil || len(archive.Files) != 4 {
				t.Fatal(err, len(archive.Files))
			}
			g := fixed(gatewayOf(t, string(archive.Files[0].Data)))
			seen[g.Front] = true
			head := strings.ReplaceAll(string(archive.Files[1].Data), "\n", "\r\n")
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr = "192.0.2.1:4711"
			body, err := strconv.Unquote(strings.TrimSpace(string(archive.Files[2].Data)))
			if err != nil {
				t.Fatal(err)
			}
			event, err := g.Event(r, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, archive.Files[3].Data), decode(t, event)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for f := range Front(numFronts) {
		if !seen[f] {
			t.Errorf("no golden event of %s", f)
		}
	}
}

func gatewayOf(t *testing.T, text string) *Gateway {
	t.Helper()
	fields := append(strings.Fields(text), "", "")
	front, err := ParseFront(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{Front: front, Stage: fields[1]}
	if fields[2] != "" {
		g.BinaryMediaTypes = strings.Split(fields[2], ",")
	}
	return g
}

// decode parses JSON, and keeps the digits of numbers.
func decode(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return value
}

// Which bodies are Base64 is for each front to say.
func TestEvent_base64(t *testing.T) {
	all := func(base64 bool) map[Front]bool {
		return map[Front]bool{HTTPAPI2: base64, HTTPAPI1: base64, FunctionURL: base64, ALB: base64, ALBMulti: base64}
	}
	for _, tt := range []struct {
		mediaType, coding string
		binary            []string // of REST APIs
		want              map[Front]bool
	}{
		{"application/json", "", nil, all(false)},
		{"Application/JSON; charset=utf-8", "", nil, all(false)},
		{"application/xml", "", nil, all(false)},
		{"application/javascript", "", nil, all(false)},
		{"text/csv", "", nil, all(false)},
		{"application/x-ndjson", "", nil, all(true)},
		{"application/vnd.aerosink.xdr", "", nil, all(true)},
		{"application/x-msgpack", "", nil, all(true)},
		{"application/avro", "", nil, all(true)},
		{"application/problem+json", "", nil, all(true)},
		{"", "", nil, all(true)},
		{"application/json", "gzip", nil, map[Front]bool{HTTPAPI2: false, HTTPAPI1: false, FunctionURL: false, ALB: true, ALBMulti: true}},
		{"application/json", "", []string{"*/*"}, map[Front]bool{RESTProxy: true}},
		{"", "", []string{"application/json"}, map[Front]bool{RESTProxy: true}},
		{"application/avro", "", []string{"Application/*"}, map[Front]bool{RESTProxy: true}},
		{"application/avro", "", []string{"text/*", "application/av"}, map[Front]bool{RESTProxy: false}},
		{"application/avro", "gzip", nil, map[Front]bool{RESTProxy: false}},
	} {
		for front, want := range tt.want {
			g := &Gateway{Front: front, BinaryMediaTypes: tt.binary}
			r := &http.Request{Method: http.MethodPost, Header: http.Header{}, URL: mustParse(t, "/")}
			if tt.mediaType != "" {
				r.Header.Set("Content-Type", tt.mediaType)
			}
			if tt.coding != "" {
				r.Header.Set("Content-Encoding", tt.coding)
			}
			event, err := g.Event(r, []byte("a"))
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Contains(event, []byte(`"body":"YQ==","isBase64Encoded":true`)); got != want {
				t.Errorf("%s, %q, coding %q, binaryMediaTypes %v: Base64 %t, want %t\n%s", front, tt.mediaType, tt.coding, tt.binary, got, want, event)
			}
		}
	}
}

// An event keeps the headers' names as a client of HTTP/2 sends them.
func TestEvent_namesOfHTTP2(t *testing.T) {
	r := &http.Request{Method: http.MethodPost, Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{"Content-Type": {"text/plain"}}, URL: mustParse(t, "/")}
	event, err := (&Gateway{Front: RESTProxy}).Event(r, []byte("a"))
	if err != nil || !bytes.Contains(event, []byte(`"content-type":"text/plain"`)) {
		t.Errorf("%s, %v", event, err)
	}
}

// The body of a request is JSON for the templates of others.
func TestEvent_customIsNotJSON(t *testing.T) {
	for _, body := range []string{"x", "{} {}", "{}\n{}\n", "\x00"} {
		r := &http.Request{Method: http.MethodPost, URL: mustParse(t, "/")}
		if event, err := (&Gateway{Front: RESTCustom}).Event(r, []byte(body)); err == nil {
			t.Errorf("%q: %s", body, event)
		}
	}
}

func TestParseFront(t *testing.T) {
	for _, name := range Names() {
		if f, err := ParseFront(name); err != nil || f.String() != name || f.Description() == "" {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := ParseFront("nginx"); err == nil || !strings.Contains(err.Error(), `unknown front "nginx": want one of http-api, http-api-1, `) {
		t.Error(err)
	}
}
