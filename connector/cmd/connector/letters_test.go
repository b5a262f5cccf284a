package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
