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

// Malformed messages are stored as dead letters and are not shipped again; every other
// change is delivered.
func TestBinary_deadLetterFile(t *testing.T) {
	_, messages := malformed(t)
	folder := filepath.Join(t.TempDir(), "letters") // the connector creates it
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, "")+batching+fmt.Sprintf("dead-letters: {directory: %q}\n", folder))
	s := &xdrtest.Source{
		Address: b.xdr, Connections: 4, RetryAfter: 5 * time.Millisecond,
		Faults: xdrtest.Faults{Seed: 8, Malformed: messages, MalformedShare: 0.2},
	}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	wantNewest(t, s, l)
	b.terminate(t)

	stored := storedDeadLetters(t, folder)
	if len(stored) == 0 || s.Stats().RetryDest > 0 {
		t.Errorf("%d dead letters, and the source counts %s", len(stored), s.Stats())
	}
	for _, message := range stored {
		if !slices.ContainsFunc(messages, func(m []byte) bool { return bytes.Equal(m, message) }) {
			t.Errorf("a dead letter that is not one of the malformed messages: %x", message)
		}
	}
}

// A destination for dead letters gets each malformed message once, unchanged, with the
// reason.
func TestBinary_deadLetterDestination(t *testing.T) {
	_, messages := malformed(t)
	var mu sync.Mutex
	var posted [][]byte
	deadLetters := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Aerosink-Reason") == "" || r.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("dead letter with header %v, error %v", r.Header, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			posted = append(posted, message)
		}
	}))
	t.Cleanup(deadLetters.Close)
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, fmt.Sprintf("destinations:\n  there: {urls: [%q], call-timeout: 8s}\n"+
		"  dead: {urls: [%q], protocol: HTTP_1_1, call-timeout: 8s, health-check: {enabled: false}}\n"+
		"routing: {mode: static, destination: there}\nformat: json\ndead-letters: {destination: dead}\n", l.URL, deadLetters.URL)+batching)
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, Faults: xdrtest.Faults{Seed: 10, Malformed: messages, MalformedShare: 0.2}}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	wantNewest(t, s, l)
	counted := b.metric(t, `aerosink_connector_dead_letters_total{cluster_name="aerosink"}`)
	if n := s.Stats().Injected; n == 0 || len(posted) != n || counted != float64(n) {
		t.Errorf("%d dead letters posted, %v counted; the source sent %d", len(posted), counted, n)
	}
	for _, message := range posted {
		if !slices.ContainsFunc(messages, func(m []byte) bool { return bytes.Equal(m, message) }) {
			t.Errorf("a dead letter that is not one of the malformed messages: %x", message)
		}
	}
	b.terminate(t)
}

// storedDeadLetters returns the messages of the dead letters in a folder.
func storedDeadLetters(t *testing.T, folder string) [][]byte {
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
			var deadLetter struct{ Message []byte }
			if err := json.Unmarshal(line, &deadLetter); err != nil {
				t.Fatal(err)
			}
			messages = append(messages, deadLetter.Message)
		}
	}
	return messages
}

// With record-ordering, the destination never sees an older version of a record after a
// newer one, even if versions arrive in any order over several connections and requests
// fail.
func TestBinary_recordOrdering(t *testing.T) {
	for _, stale := range []string{"ack", "retry"} {
		t.Run(stale, func(t *testing.T) {
			l := delivertest.New(t, delivertest.Mixed(5, delivertest.Status500, delivertest.Half, delivertest.Busy))
			b := startBinary(t, 0, forward(l.URL, "")+batching+"record-ordering: {stale: "+stale+"}\n")
			s := &xdrtest.Source{
				Address: b.xdr, Connections: 8, RetryAfter: 2 * time.Millisecond,
				Faults: xdrtest.Faults{Seed: 9, Stale: 0.5, Again: 0.1},
			}
			ship(t, s)
			for range 20 {
				for i := range 20 { // few records, often
					s.Write(user("users", i))
				}
			}
			changetest.WaitFor(t, "the newest versions and stale ones", func() bool {
				return s.Stats().Stale > 0 && cmp.Equal(s.Newest("test"), l.Newest())
			})
			if n := l.Counts().Backwards; n > 0 {
				t.Errorf("%d older versions after newer ones", n)
			}
			b.terminate(t)
		})
	}
}
