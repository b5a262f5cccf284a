package function_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deadletter"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

var mixed = flag.Duration("mixed", 0, "repeat the mixed run for this long; a round takes a few seconds, and there is at least one")

// Several senders send changes in every format to sinks that fail at random. In the end every
// valid change is in each sink once, every invalid one is in the dead letters as it was sent,
// and nothing else is stored.
func TestServeHTTP_mixedFailures(t *testing.T) {
	began := time.Now()
	for round := 0; round == 0 || time.Since(began) < *mixed; round++ {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { newMixedRun(t, uint64(round)).run(t) })
	}
}

// Sizes of a round of the mixed run.
const (
	mixedSenders  = 4
	mixedRequests = 80   // of each sender, without repeats
	mixedBatch    = 50   // most changes in a request
	mixedPoison   = 1000 // one in so many changes is invalid
)

// mixedRun is one round, with the changes that it has sent.
type mixedRun struct {
	cloud   *sinktest.Cloud
	handler http.Handler
	formats []format.Format
	seed    uint64
	number  atomic.Uint64 // of the last change

	mu      sync.Mutex
	valid   map[string][]byte // bytes by digest
	poison  map[string]bool   // by bytes
	repeats int               // requests that were sent again
}

func newMixedRun(t *testing.T, seed uint64) *mixedRun {
	m := &mixedRun{cloud: sinktest.New(t), formats: benchFormats(t), seed: seed, valid: map[string][]byte{}, poison: map[string]bool{}}
	schema := filepath.Join(t.TempDir(), "schema.avsc")
	if err := os.WriteFile(schema, []byte(mapOfAnything), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := newReceiver(t, env("AVRO_SCHEMA", schema,
		"SINKS", sinktest.PubSubSink+"?ordering=256,"+sinktest.ArchiveSink+"?linger=5ms", "DEAD_LETTERS", "gs://"+sinktest.Bucket+"/dead?linger=5ms"))
	m.handler = r
	var publishes, uploads atomic.Uint64
	fails := func(n *atomic.Uint64) bool { return rand.New(rand.NewPCG(seed, n.Add(1))).IntN(10) == 0 }
	m.cloud.FailPublish(func(*pubsubpb.PublishRequest) error {
		if fails(&publishes) {
			return status.Error(codes.PermissionDenied, "one in ten")
		}
		return nil
	})
	m.cloud.FailStorage(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/upload/") && fails(&uploads) {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	return m
}

func (m *mixedRun) run(t *testing.T) {
	var senders sync.WaitGroup
	for i := range mixedSenders {
		senders.Go(func() {
			random := rand.New(rand.NewPCG(m.seed, uint64(1000+i)))
			for range mixedRequests {
				f := m.formats[random.IntN(len(m.formats))]
				m.send(t, f, m.batch(t, random, f), i%2 == 0)
			}
		})
	}
	senders.Wait()
	m.cloud.FailPublish(nil)
	m.cloud.FailStorage(nil)
	if m.repeats == 0 || len(m.poison) == 0 {
		t.Errorf("%d repeats, %d invalid changes, want some of both", m.repeats, len(m.poison))
	}
	m.checkMessages(t)
	m.checkObjects(t)
	t.Logf("%d changes, %d invalid ones, %d requests sent again", len(m.valid), len(m.poison), m.repeats)
}

// batch returns records in the format. One in mixedPoison of them is not a change.
func (m *mixedRun) batch(t *testing.T, random *rand.Rand, f format.Format) [][]byte {
	var records [][]byte
	for range 1 + random.IntN(mixedBatch) {
		n := m.number.Add(1)
		if n%mixedPoison == mixedPoison/2 {
			record := poisonOf(f, n)
			m.mu.Lock()
			m.poison[string(dataOf(f, record))] = true
			m.mu.Unlock()
			records = append(records, record)
			continue
		}
		c := change.Change{
			Namespace: "shop", Set: "s", Generation: 1, LUT: changetest.Receipt.UnixMilli() + int64(n), Key: change.IntegerValue(int64(n)),
			Bins: []change.Bin{{Name: "n", Value: change.IntegerValue(int64(n))}},
		}
		binary.LittleEndian.PutUint64(c.Digest[:], n*0x9e3779b97f4a7c15)
		record, err := f.Append(nil, &c)
		if err != nil {
			t.Error(err)
		}
		m.mu.Lock()
		m.valid[c.Digest.String()] = dataOf(f, record)
		m.mu.Unlock()
		records = append(records, record)
	}
	return records
}

// dataOf returns a record without the separator after it.
func dataOf(f format.Format, record []byte) []byte {
	if strings.HasSuffix(f.Name(), "json") {
		return bytes.TrimSuffix(record, []byte{'\n'})
	}
	return record
}

// poisonOf returns a record that is not a change, different for every n.
func poisonOf(f format.Format, n uint64) []byte {
	switch text := fmt.Sprintf("%08d", n); f.Name() {
	case "message-pack":
		return []byte("\xa8" + text)
	case "avro":
		return []byte("\x02\x10" + text + "\x00\x00") // a map of one entry, null
	case "xdr":
		return []byte("\x02\x03\x00\x00\x00\x00\x00\x08" + text)
	default:
		return []byte(`{"poison":"` + text + "\"}\n")
	}
}

// send sends the changes until all are accepted. A sender that reads reports repeats only the
// changes that the report names.
func (m *mixedRun) send(t *testing.T, f format.Format, records [][]byte, reads bool) {
	for try := range 1000 {
		body, mediaType := f.Seal(bytes.Join(records, nil), len(records))
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		req.Header.Set("Content-Type", mediaType)
		w := httptest.NewRecorder()
		m.handler.ServeHTTP(w, req)
		if try > 0 {
			m.mu.Lock()
			m.repeats++
			m.mu.Unlock()
		}
		switch w.Code {
		case http.StatusOK:
			return
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
			return
		}
		var report struct{ Retry []int }
		if reads && json.Unmarshal(w.Body.Bytes(), &report) == nil && len(report.Retry) > 0 {
			var again [][]byte
			for _, i := range report.Retry {
				again = append(again, records[i])
			}
			records = again
		}
	}
	t.Error("a request was refused 1000 times")
}

func (m *mixedRun) checkMessages(t *testing.T) {
	ids, times := map[string]bool{}, map[string]int{}
	for _, message := range m.cloud.Messages() {
		digest := message.Attributes["digest"]
		if times[digest]++; !bytes.Equal(message.Data, m.valid[digest]) {
			t.Errorf("message %s of %s does not have the bytes that were sent", message.ID, digest)
		}
		ids[message.ID] = true
	}
	if len(ids) != len(m.valid) {
		t.Errorf("%d messages for %d changes", len(ids), len(m.valid))
	}
	m.checkOnce(t, "messages", times)
}

var digestOf = regexp.MustCompile(`"([A-Za-z0-9+/]{27}=)"`)

func (m *mixedRun) checkObjects(t *testing.T) {
	times, letters := map[string]int{}, map[string]int{}
	for _, o := range m.cloud.Objects(t) {
		for line := range strings.Lines(string(o.Content)) {
			if !strings.HasPrefix(o.Attrs.Name, "dead/") {
				times[digestOf.FindStringSubmatch(line)[1]]++
				continue
			}
			letter, err := deadletter.ParseLine([]byte(line))
			if err != nil || letter.Reason == "" || letter.MediaType == "" || letter.Request == "" {
				t.Errorf("dead letter %+v, error %v", letter, err)
			}
			letters[string(letter.Message)]++
		}
	}
	m.checkOnce(t, "lines", times)
	for record := range m.poison {
		if n := letters[record]; n != 1 {
			t.Errorf("%d dead letters of %q", n, record)
		}
	}
	if len(letters) != len(m.poison) {
		t.Errorf("%d dead letters for %d invalid changes", len(letters), len(m.poison))
	}
}

// checkOnce checks that every valid change was stored once, and nothing else.
func (m *mixedRun) checkOnce(t *testing.T, what string, times map[string]int) {
	wrong := 0
	for digest := range m.valid {
		if times[digest] != 1 {
			wrong++
		}
	}
	if wrong > 0 || len(times) != len(m.valid) {
		t.Errorf("%s: %d of %d changes are not stored exactly once; %d changes are stored", what, wrong, len(m.valid), len(times))
	}
}
