package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// Messages that nobody can read are in the dead letters, none of them is shipped
// again for ever, and every other change is delivered.
func TestBinaryDeadLetters(t *testing.T) {
	_, messages := malformed(t)
	folder := filepath.Join(t.TempDir(), "letters") // the connector makes it
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching+fmt.Sprintf("dead-letters: {directory: %q}\n", folder))
	s := &xdrtest.Source{
		Address: b.xdr, Connections: 4, RetryAfter: 5 * time.Millisecond,
		Mischief: xdrtest.Mischief{Seed: 8, Malformed: messages, MalformedShare: 0.2},
	}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	wantNewest(t, s, l)
	b.terminate(t)

	letters := filed(t, folder)
	if len(letters) == 0 || s.Stats().RetryDest > 0 {
		t.Errorf("%d letters, and the source says %s", len(letters), s.Stats())
	}
	for _, message := range letters {
		if !slices.ContainsFunc(messages, func(m []byte) bool { return bytes.Equal(m, message) }) {
			t.Errorf("a letter that was no malformed message: %x", message)
		}
	}
}

// Posted to a destination, each of them comes once, as it was, with the reason.
func TestBinaryPostedDeadLetters(t *testing.T) {
	_, messages := malformed(t)
	var mu sync.Mutex
	var letters [][]byte
	graveyard := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Aerosink-Reason") == "" || r.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("letter with header %v, %v", r.Header, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			letters = append(letters, message)
		}
	}))
	t.Cleanup(graveyard.Close)
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, fmt.Sprintf("destinations:\n  there: {urls: [%q], call-timeout: 8s}\n"+
		"  graveyard: {urls: [%q], protocol: HTTP_1_1, call-timeout: 8s, health-check: {enabled: false}}\n"+
		"routing: {mode: static, destination: there}\nformat: json\ndead-letters: {destination: graveyard}\n", l.URL, graveyard.URL)+batching)
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, Mischief: xdrtest.Mischief{Seed: 10, Malformed: messages, MalformedShare: 0.2}}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	wantNewest(t, s, l)
	counted := b.metric(t, `aerosink_connector_dead_letters_total{cluster_name="aerosink"}`)
	if n := s.Stats().Injected; n == 0 || len(letters) != n || counted != float64(n) {
		t.Errorf("%d letters, %v counted; the source sent %d", len(letters), counted, n)
	}
	for _, letter := range letters {
		if !slices.ContainsFunc(messages, func(m []byte) bool { return bytes.Equal(m, letter) }) {
			t.Errorf("a letter that was no malformed message: %x", letter)
		}
	}
	b.terminate(t)
}

// filed returns the messages of the letters in a folder.
func filed(t *testing.T, folder string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var letter struct{ Message []byte }
			if err := json.Unmarshal(line, &letter); err != nil {
				t.Fatal(err)
			}
			messages = append(messages, letter.Message)
		}
	}
	return messages
}

// However versions of records come, from several connections, again and again, and
// whatever the destination does with them: it never sees an older one after a newer
// one.
func TestBinaryRecordOrdering(t *testing.T) {
	for _, stale := range []string{"ack", "retry"} {
		t.Run(stale, func(t *testing.T) {
			l := delivertest.New(t, delivertest.Mixed(5, delivertest.Status500, delivertest.Half, delivertest.Busy))
			b := startBinary(t, 0, forward(l.URL, "")+batching+"record-ordering: {stale: "+stale+"}\n")
			s := &xdrtest.Source{
				Address: b.xdr, Connections: 8, RetryAfter: 2 * time.Millisecond,
				Mischief: xdrtest.Mischief{Seed: 9, Stale: 0.5, Again: 0.1},
			}
			ship(t, s)
			for range 20 {
				for i := range 20 { // few records, often
					s.Write(user("users", i))
				}
			}
			changetest.WaitFor(t, "the newest versions and stale ones", func() bool {
				return s.Stats().Stale > 0 && cmp.Equal(s.Newest(), l.Newest())
			})
			if n := l.Counts().Backwards; n > 0 {
				t.Errorf("%d older versions after newer ones", n)
			}
			b.terminate(t)
		})
	}
}
