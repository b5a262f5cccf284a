package connector

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/xdr"
)

// deadLetterServer is an HTTP server for dead letters. It answers all of them with status.
type deadLetterServer struct {
	*httptest.Server
	mu      sync.Mutex
	status  int
	letters []string // headers
	bodies  [][]byte
}

func newDeadLetterServer(t *testing.T) *deadLetterServer {
	o := &deadLetterServer{status: http.StatusOK}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		var headers []string
		for _, name := range []string{"Content-Type", "Aerosink-Reason", "Aerosink-Offset", "Aerosink-Size", "Aerosink-Namespace", "Aerosink-Set", "Aerosink-Digest", "Aerosink-Lut"} {
			headers = append(headers, r.Header.Get(name))
		}
		o.letters = append(o.letters, strings.Join(headers, " | "))
		o.bodies = append(o.bodies, body)
		w.WriteHeader(o.status)
	}))
	o.Config.Protocols = new(http.Protocols)
	o.Config.Protocols.SetUnencryptedHTTP2(true)
	o.Start()
	t.Cleanup(o.Close)
	return o
}

func (o *deadLetterServer) respond(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status = status
}

// malformedAt returns the write of record i with the byte at offset wrong.
func malformedAt(t *testing.T, i, offset int) []byte {
	bad := write(t, "s", i)
	bad[offset] ^= 0xff
	return bad
}

func TestPostedDeadLetters_request(t *testing.T) {
	e, o := newEndpoint(t), newDeadLetterServer(t)
	letters := (&endpoint{Server: o.Server}).destination(t, "letters")
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.DeadLetters = PostedDeadLetters{letters} })
	n := r.dial(t)

	// hidden has a wrong header size, so that nothing after it can be read.
	hidden, refused := malformedAt(t, 1, 8), write(t, "s", 2)
	broken := write(t, "s", 3)
	broken = append(broken, 0)
	broken[7]++ // one byte more than the bins take up
	e.respond(2, http.StatusBadRequest)
	n.ship(t, hidden)
	n.wantReplies(t, xdr.OK)
	n.ship(t, refused)
	n.wantReplies(t, xdr.OK)
	n.ship(t, broken)
	n.wantReplies(t, xdr.OK)
	large := tooLarge(t, 4)
	n.ship(t, large)
	n.wantReplies(t, xdr.OK)

	lut := changetest.Receipt.UnixMilli()
	digest := func(i int) string { return change.Digest{byte(i), byte(i >> 8)}.String() }
	o.mu.Lock()
	defer o.mu.Unlock()
	want := []string{
		"application/octet-stream | xdr message: bad-header-size at byte 8: 233, want 22 | 8 |  |  |  |  | ",
		fmt.Sprintf("application/octet-stream | destination there: POST %s: status 400 Bad Request |  |  | test | s | %s | %d", e.URL, digest(2), lut),
		fmt.Sprintf("application/octet-stream | xdr message: trailing-bytes at byte %d: 1 byte after the last op | %d |  | test | s | %s | %d", len(broken)-1, len(broken)-1, digest(3), lut),
		fmt.Sprintf("application/octet-stream | xdr message: over-limit at byte 2: body of %d bytes, the limit is 1048576 | 2 | %d | test | s | %s | %d", len(large)-8, len(large), digest(4), lut),
	}
	if diff := cmp.Diff(want, o.letters); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]byte{hidden, refused, broken, {}}, o.bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	m := r.server.metrics
	if dead, skips, errs, parses := testutil.ToFloat64(m.dead), testutil.ToFloat64(m.requests[resultDead]), testutil.ToFloat64(m.requests[resultRetry]), testutil.ToFloat64(m.requests[resultMalformed]); dead != 4 || skips != 1 || errs != 0 || parses != 3 {
		t.Errorf("%v dead, %v skipped, %v errors, %v parse errors", dead, skips, errs, parses)
	}
}

// tooLarge returns the write of record i with a bin that is larger than a connector of a
// test accepts.
func tooLarge(t *testing.T, i int) []byte {
	t.Helper()
	c := change.Change{
		Namespace: "test", Set: "s", Digest: change.Digest{byte(i), byte(i >> 8)}, Mode: change.Replace, Generation: 1, LUT: changetest.Receipt.UnixMilli(),
		Bins: []change.Bin{{Name: "large", Value: change.BytesValue(change.KindBlob, make([]byte, 2<<20))}},
	}
	f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A message that is too large becomes a dead letter without its bytes, also if it was
// compressed. Without dead letters, or if its record is unknown, it is shipped again, and
// the log names the record.
func TestReader_tooLarge(t *testing.T) {
	plain := tooLarge(t, 1)
	noise := make([]byte, 2<<20) // incompressible
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	compressed, err := xdr.AppendCompressed(nil, bytes.Replace(plain, make([]byte, 2<<20), noise, 1))
	if err != nil {
		t.Fatal(err)
	}
	unknown := append(binary.BigEndian.AppendUint64(nil, 2<<56|3<<48|2<<20), make([]byte, 2<<20)...)
	digest := change.Digest{1}
	for _, tt := range []struct {
		name    string
		message []byte
		letters bool
		want    xdr.Code
		known   bool
	}{
		{"plain", plain, true, xdr.OK, true},
		{"compressed", compressed, true, xdr.OK, true},
		{"no dead letters", plain, false, xdr.Retry, true},
		{"unknown record", unknown, true, xdr.Retry, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			directory := filepath.Join(t.TempDir(), "letters")
			letters, err := deadletter.OpenFile(directory)
			if err != nil {
				t.Fatal(err)
			}
			defer letters.Close()
			e := newEndpoint(t)
			r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) {
				if tt.letters {
					c.DeadLetters = letters
				}
			})
			n := r.dial(t)
			n.ship(t, tt.message, write(t, "s", 2))
			e.respond(2, http.StatusOK)
			n.wantReplies(t, tt.want, xdr.OK)
			stored := storedLetters(t, directory)
			if tt.want == xdr.Retry {
				if log := r.log.String(); len(stored) > 0 || strings.Contains(log, digest.String()) != tt.known || !strings.Contains(log, "message too large; asking for a retry") {
					t.Errorf("%d dead letters; log:\n%s", len(stored), log)
				}
				return
			}
			if len(stored) != 1 {
				t.Fatalf("%d dead letters, want 1", len(stored))
			}
			offset, got := 2, stored[0]
			want := deadletter.Letter{
				Time: got.Time, Reason: fmt.Sprintf("xdr message: over-limit at byte 2: body of %d bytes, the limit is 1048576", len(tt.message)-8), Offset: &offset,
				Namespace: "test", Set: "s", Digest: digest[:], LUT: changetest.Receipt.UnixMilli(), Size: len(tt.message),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("dead letter (-want +got):\n%s", diff)
			}
		})
	}
}

// Each cause of dead letters is logged, with the record and where the dead letter went, and
// without its key and its bins.
func TestWriter_logsDeadLetters(t *testing.T) {
	directory := t.TempDir()
	file, err := deadletter.OpenFile(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	letters := (&endpoint{Server: newDeadLetterServer(t).Server}).destination(t, "quarantine")
	for name, tt := range map[string]struct {
		deadLetters DeadLetters
		where       string
	}{
		"file":        {file, filepath.Join(directory, "dead-letters-")},
		"destination": {PostedDeadLetters{letters}, "destination quarantine"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.DeadLetters = tt.deadLetters })
			n := r.dial(t)
			e.respond(2, http.StatusUnprocessableEntity)
			shortLUT := write(t, "s", 3)
			shortLUT[27]-- // one field fewer than there are, so that the rest is taken for a bin
			n.ship(t, malformedAt(t, 1, 8), write(t, "s", 2), shortLUT, tooLarge(t, 4), tooLarge(t, 5))
			n.wantReplies(t, xdr.OK, xdr.OK, xdr.OK, xdr.OK, xdr.OK)
			var got []string
			for line := range strings.Lines(r.log.String()) {
				var l struct{ Msg, Reason, Namespace, Set, Digest, StoredIn string }
				line = strings.Replace(line, "stored_in", "storedIn", 1)
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Msg != "change stored as a dead letter" || !strings.Contains(l.StoredIn, tt.where) {
					t.Errorf("log line, want one that contains %s: %s", tt.where, line)
				}
				reason, _, _ := strings.Cut(strings.TrimPrefix(l.Reason, "xdr message: "), " at byte")
				got = append(got, strings.Join([]string{strings.ReplaceAll(reason, e.URL, "URL"), l.Namespace, l.Set, l.Digest}, " | "))
			}
			digest := func(i int) string { return change.Digest{byte(i)}.String() }
			want := []string{
				"bad-header-size |  |  | ",
				"destination there: POST URL: status 422 Unprocessable Entity | test | s | " + digest(2),
				"unexpected-op | test | s | " + digest(3),
				"over-limit | test | s | " + digest(4), // that of 5 has the same cause
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("dead letters in the log (-want +got):\n%s", diff)
			}
		})
	}
}

// If a dead letter cannot be stored, its change is shipped again.
func TestPostedDeadLetters_refused(t *testing.T) {
	e, o := newEndpoint(t), newDeadLetterServer(t)
	letters := (&endpoint{Server: o.Server}).destination(t, "letters")
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.DeadLetters = PostedDeadLetters{letters} })
	n := r.dial(t)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusBadRequest} {
		o.respond(status)
		n.ship(t, malformedAt(t, 1, 8))
		n.wantReplies(t, xdr.Retry)
	}
	o.respond(http.StatusOK)
	n.ship(t, malformedAt(t, 1, 8))
	n.wantReplies(t, xdr.OK)
	if log := r.log.String(); !strings.Contains(log, "dead letter: destination letters") || !strings.Contains(log, "bad-header-size") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// If one destination refuses a change for good and another fails temporarily, the change is
// shipped again. It becomes a dead letter once the other destination has it.
func TestSlot_noDeadLetterWhileRetryable(t *testing.T) {
	e, other, o := newEndpoint(t), newEndpoint(t), newDeadLetterServer(t)
	letters := (&endpoint{Server: o.Server}).destination(t, "letters")
	r := start(t, allSets(pipelineTo(e.destination(t, "there"), other.destination(t, "other"))), func(c *Config) { c.DeadLetters = PostedDeadLetters{letters} })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	e.respond(1, http.StatusBadRequest)
	other.respond(1, http.StatusServiceUnavailable)
	n.wantReplies(t, xdr.Retry)
	n.ship(t, write(t, "s", 1))
	e.respond(1, http.StatusBadRequest)
	other.respond(1, http.StatusOK)
	n.wantReplies(t, xdr.OK)
	if len(o.letters) != 1 {
		t.Errorf("%d dead letters, want 1", len(o.letters))
	}
}

func TestServer_deadLetterFile(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "letters")
	letters, err := deadletter.OpenFile(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	e := newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) { c.DeadLetters = letters })
	n := r.dial(t)
	e.respond(2, http.StatusUnprocessableEntity)
	n.ship(t, malformedAt(t, 1, 8), write(t, "s", 2))
	n.wantReplies(t, xdr.OK, xdr.OK)

	stored := storedLetters(t, directory)
	if len(stored) != 2 {
		t.Fatalf("%d dead letters, want 2", len(stored))
	}
	for _, l := range stored {
		l.Time = time.Time{}
		var want deadletter.Letter
		switch offset := 8; {
		case l.Offset != nil:
			want = deadletter.Letter{Reason: "xdr message: bad-header-size at byte 8: 233, want 22", Offset: &offset, Message: malformedAt(t, 1, 8)}
		default:
			digest := change.Digest{2}
			want = deadletter.Letter{
				Reason:    fmt.Sprintf("destination there: POST %s: status 422 Unprocessable Entity", e.URL),
				Namespace: "test", Set: "s", Digest: digest[:], LUT: changetest.Receipt.UnixMilli(), Message: write(t, "s", 2),
			}
		}
		if diff := cmp.Diff(want, l); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
	}
}

// storedLetters returns the dead letters in the files in directory.
func storedLetters(t *testing.T, directory string) []deadletter.Letter {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var letters []deadletter.Letter
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			l, err := deadletter.ParseLine(line)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			letters = append(letters, l)
		}
	}
	return letters
}
