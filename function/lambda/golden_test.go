package lambda

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write requests and answers into testdata")

// golden is a file of testdata.
type golden struct{ *txtar.Archive }

// section returns the file name of the archive, nil if it has none.
func (g golden) section(name string) []byte {
	for _, f := range g.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func eachGolden(t testing.TB, do func(name string, g golden)) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		do(strings.TrimSuffix(filepath.Base(path), ".txtar"), golden{a})
	}
}

// respond answers as the section response says, in the form that HTTP/1.1 has, and describes
// each request.
func respond(t testing.TB, section []byte, describe *bytes.Buffer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(describe, "%s %s\nHost: %s\nfrom %s\n", r.Method, r.RequestURI, r.Host, r.RemoteAddr)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[name] {
				fmt.Fprintf(describe, "%s: %s\n", name, value)
			}
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			t.Errorf("%d bytes of body, want %d; %v", len(body), r.ContentLength, err)
		}
		fmt.Fprintf(describe, "\n%q\n", body)
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(section)), nil)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
}

// Events of every front become requests, and responses become answers.
func TestInvoke_fronts(t *testing.T) {
	eachGolden(t, func(name string, g golden) {
		t.Run(name, func(t *testing.T) {
			var request bytes.Buffer
			h := New(respond(t, g.section("response"), &request), Options{BasePath: strings.TrimSpace(string(g.section("base path")))})
			payload := g.section("event.json")
			before := bytes.Clone(payload)
			answer, err := h.Invoke(t.Context(), payload)
			if !bytes.Equal(payload, before) {
				t.Error("the event was modified")
			}
			if err != nil {
				answer = []byte("error: " + err.Error())
			}
			answer = append(answer, '\n')
			if *update {
				for i := range g.Files {
					switch g.Files[i].Name {
					case "request":
						g.Files[i].Data = request.Bytes()
					case "answer.json":
						g.Files[i].Data = answer
					}
				}
				if err := os.WriteFile("testdata/"+name+".txtar", txtar.Format(g.Archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(g.section("request")), request.String()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(string(g.section("answer.json")), string(answer)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	})
}
