package function_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

const both = sinktest.PubSubSink + "?ordering=256," + sinktest.ArchiveSink + "?linger=0s"

func newReceiver(t *testing.T, getenv func(string) string) (*function.Receiver, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	r := function.New(environment(getenv), slog.New(slog.NewJSONHandler(&log, nil)))
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, &log
}

func post(h http.Handler, mediaType, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// jsonChange returns a change of record i, which is below 100. Records below 10 have different
// ordering keys.
func jsonChange(i int) string {
	return fmt.Sprintf(`{"msg":"write","key":["shop","s","%d%d%022d000=",%d],"gen":1,"exp":0,"lut":1795350896789,"bins":[]}`, i%10, i/10, 0, i)
}

// sample returns a body from testdata, as Aerospike's connector sends it.
func sample(t *testing.T, name string) string {
	t.Helper()
	digits, err := os.ReadFile(changetest.Testdata(t, "payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	body, err := hex.DecodeString(strings.TrimSpace(string(digits)))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func xdrChange(t *testing.T) string {
	t.Helper()
	message, err := raw.Format{}.Append(nil, &change.Change{Namespace: "shop", Set: "s", LUT: 1795350896789})
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

// checkProblem checks that an answer is a problem as in RFC 9457.
func checkProblem(t *testing.T, w *httptest.ResponseRecorder, status int, detail string) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("media type %s", got)
	}
	if p.Type != "about:blank" || p.Status != status || p.Title != http.StatusText(status) || !strings.Contains(p.Detail, detail) {
		t.Errorf("problem %+v, want status %d and a detail with %q", p, status, detail)
	}
}

// A body without a length that is too long, and one that is cut off.
func TestServeHTTP_bodyTooLongOrCutOff(t *testing.T) {
	sinktest.New(t)
	r, _ := newReceiver(t, env("SINKS", both, "MAX_BODY", "1KiB"))
	s := httptest.NewServer(r)
	defer s.Close()
	body, w := io.Pipe() // without a length, the request is chunked
	go func() {
		_, err := w.Write(bytes.Repeat([]byte(" "), 4096))
		_ = w.CloseWithError(err)
	}()
	resp, err := http.Post(s.URL, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
	cut := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(`{"msg"`), failingReader{}))
	cut.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, cut)
	checkProblem(t, rec, http.StatusBadRequest, "the body ends after 6 bytes")
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// If a sink fails, the answer is 503 with the changes to send again. It is 200 only when every
// sink has every change.
func TestServeHTTP_sinkFailure(t *testing.T) {
	cloud := sinktest.New(t)
	r, _ := newReceiver(t, env("SINKS", both))
	var lines strings.Builder
	for i := range 4 {
		lines.WriteString(jsonChange(i) + "\n")
	}
	cloud.FailPublish(func(p *pubsubpb.PublishRequest) error {
		if strings.Contains(string(p.Messages[0].Data), `,2],"gen"`) {
			return status.Error(codes.PermissionDenied, "not you")
		}
		return nil
	})
	// Each change has its own ordering key, and so its own publish request.
	w := post(r, "application/x-ndjson", lines.String())
	checkReport(t, w, http.StatusServiceUnavailable, 4, []int{2}, "1 of 4 changes is not durable: change 2: publish to pubsub")
	cloud.FailPublish(nil)

	cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/upload/") {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	others := jsonChange(5) + "\n" + jsonChange(6)
	if w := post(r, "application/x-ndjson", others); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"retry":[0,1]`) {
		t.Errorf("storage forbidden: status %d: %s", w.Code, w.Body)
	}
	cloud.FailStorage(nil)
	for _, body := range []string{lines.String(), others} {
		if w := post(r, "application/x-ndjson", body); w.Code != http.StatusOK {
			t.Errorf("sent again: status %d: %s", w.Code, w.Body)
		}
	}
	// Each sink was given only the changes that it did not have.
	if n, m := len(cloud.Messages()), len(cloud.Objects(t)); n != 6 || m != 2 {
		t.Errorf("%d messages and %d objects, want 6 and 2", n, m)
	}
}

// For every format of a batch, messages in Pub/Sub have the bytes of the change as received
// and an attribute with the format, and the archive has lines of JSON.
func TestServeHTTP_formats(t *testing.T) {
	avro, err := avro.New(mapOfAnything, "metadata", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []format.Format{raw.Format{}, msgpack.Format{}, avro} {
		t.Run(f.Name(), func(t *testing.T) {
			cloud := sinktest.New(t)
			r, _ := newReceiver(t, env("SINKS", both))
			var records []byte
			var ends []int
			for i := range 2 {
				c := change.Change{
					Namespace: "shop", Set: "s", Digest: change.Digest{byte(i)}, Generation: 1, LUT: 1795350896789,
					Bins: []change.Bin{{Name: "b", Value: change.BytesValue(change.KindBlob, []byte{byte(i)})}},
				}
				var err error
				if records, err = f.Append(records, &c); err != nil {
					t.Fatal(err)
				}
				ends = append(ends, len(records))
			}
			body, mediaType := f.Seal(records, 2)
			if w := post(r, mediaType, string(body)); w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			var got []string
			for _, m := range cloud.Messages() {
				got = append(got, string(m.Data))
				if m.Attributes["format"] != f.Name() {
					t.Errorf("attributes %v", m.Attributes)
				}
			}
			slices.Sort(got) // their ordering keys differ, so their order may
			want := []string{string(records[:ends[0]]), string(records[ends[0]:])}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			line := `{"msg":"write","key":["shop","s","%sAAAAAAAAAAAAAAAAAAAAAAAAA=",null],"gen":1,"exp":0,"lut":1795350896789,"bins":[{"name":"b","type":"blob","value":"%s"}]}` + "\n"
			if diff := cmp.Diff(fmt.Sprintf(line+line, "AA", "AA==", "AQ", "AQ=="), string(cloud.Objects(t)[0].Content)); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

// A change that a sink can never store is answered with 400.
func TestServeHTTP_permanentFailure(t *testing.T) {
	sinktest.New(t)
	r, _ := newReceiver(t, env("SINKS", sinktest.PubSubSink))
	big := strings.Replace(jsonChange(1), `"bins":[]`, `"bins":[{"name":"b","type":"str","value":"`+strings.Repeat("x", 10_000_000)+`"}]`, 1)
	w := post(r, "application/x-ndjson", jsonChange(0)+"\n"+big)
	checkReport(t, w, http.StatusBadRequest, 2, []int{1}, "1 of 2 changes cannot be stored: change 1: publish to pubsub")
}

// An unreadable change does not hold back the others, and the report names it.
func TestServeHTTP_unreadableChange(t *testing.T) {
	cloud := sinktest.New(t)
	r, _ := newReceiver(t, env("SINKS", both))
	w := post(r, "application/x-ndjson", jsonChange(0)+"\n{}\n"+jsonChange(2))
	checkReport(t, w, http.StatusBadRequest, 3, []int{1}, "1 of 3 changes cannot be stored: change 1: byte")
	if n := len(cloud.Messages()); n != 2 {
		t.Errorf("%d messages published, want 2", n)
	}
	cloud.FailPublish(func(*pubsubpb.PublishRequest) error { return status.Error(codes.PermissionDenied, "not you") })
	w = post(r, "application/x-ndjson", jsonChange(3)+"\n{}")
	checkReport(t, w, http.StatusServiceUnavailable, 2, []int{0, 1}, "2 of 2 changes are not durable: change 0: publish")
}

// checkReport checks that an answer is a report without dead letters.
func checkReport(t *testing.T, w *httptest.ResponseRecorder, status, changes int, retry []int, reason string) {
	t.Helper()
	var report struct {
		Changes     int
		Retry, Dead []int
		Reason      string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if w.Code != status || w.Header().Get("Content-Type") != "application/vnd.aerosink.report+json" {
		t.Errorf("status %d, media type %s", w.Code, w.Header().Get("Content-Type"))
	}
	if report.Changes != changes || !slices.Equal(report.Retry, retry) || len(report.Dead) != 0 || !strings.Contains(report.Reason, reason) {
		t.Errorf("report %+v, want changes %v of %d and a reason with %q", report, retry, changes, reason)
	}
}

// Until the sinks can be opened, every request is refused and tries again.
func TestServeHTTP_sinksOpenLater(t *testing.T) {
	cloud := sinktest.New(t)
	emulator := os.Getenv("PUBSUB_EMULATOR_HOST")
	t.Setenv("PUBSUB_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/credentials.json")
	r, _ := newReceiver(t, env("SINKS", both))
	if err := r.Open(); err == nil {
		t.Error("opened without credentials")
	}
	if w := post(r, "application/json", jsonChange(1)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	ready := httptest.NewRecorder()
	if r.ServeHTTP(ready, httptest.NewRequest(http.MethodGet, "/readyz", nil)); ready.Code != http.StatusServiceUnavailable {
		t.Errorf("ready with status %d", ready.Code)
	}
	t.Setenv("PUBSUB_EMULATOR_HOST", emulator)
	if w := post(r, "application/json", jsonChange(1)); w.Code != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestServeHTTP_invalidEnvironment(t *testing.T) {
	r, log := newReceiver(t, env("SINKS", "kafka://a"))
	w := post(r, "application/json", jsonChange(1))
	checkProblem(t, w, http.StatusServiceUnavailable, `environment: SINKS: "kafka://a": unknown kind of sink`)
	if !strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("log %s", log)
	}
}

func TestServeHTTP_concurrentRequests(t *testing.T) {
	cloud := sinktest.New(t)
	r, _ := newReceiver(t, env("SINKS", both))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if w := post(r, "application/json", jsonChange(i)); w.Code != http.StatusOK {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if n, m := len(cloud.Messages()), len(cloud.Objects(t)); n != 50 || m != 50 {
		t.Errorf("%d messages and %d objects, want 50 of each", n, m)
	}
}

func TestServeHTTP_traceInLog(t *testing.T) {
	r, log := newReceiver(t, env("SINKS", "log:", "GOOGLE_CLOUD_PROJECT", "shop"))
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
	req.Header.Set("X-Cloud-Trace-Context", "105445aa7843bc8bf206b12000100000/1;o=1")
	r.ServeHTTP(httptest.NewRecorder(), req)
	if want := `"logging.googleapis.com/trace":"projects/shop/traces/105445aa7843bc8bf206b12000100000"`; !strings.Contains(log.String(), want) {
		t.Errorf("log %s, want %s", log, want)
	}
}

func TestNewLogger_onCloudRun(t *testing.T) {
	var out bytes.Buffer
	function.NewLogger(&out, environment(env("K_SERVICE", "sink"))).Warn("careful", "status", 503)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	if diff := cmp.Diff(map[string]any{"severity": "WARNING", "message": "careful", "status": 503.0}, line); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	function.NewLogger(&out, environment(env())).Warn("careful")
	if !strings.Contains(out.String(), "level=WARN msg=careful") {
		t.Errorf("on a terminal: %s", out.String())
	}
}

func TestStories(t *testing.T) {
	changetest.EachStory(t, func(t *testing.T, s *changetest.Story) {
		cloud := sinktest.New(t)
		r, _ := newReceiver(t, env("SINKS", both))
		head, body, _ := bytes.Cut(s.Section(t, "request.http"), []byte("\n\n"))
		_, mediaType, _ := strings.Cut(string(head), "Content-Type: ")
		if w := post(r, mediaType, strings.TrimSuffix(string(body), "\n")); w.Code != http.StatusOK {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if n := len(cloud.Messages()); n != 1 {
			t.Fatalf("%d messages published, want 1", n)
		}
		m := cloud.Messages()[0]
		message, err := json.MarshalIndent(struct {
			Attributes  map[string]string `json:"attributes"`
			OrderingKey string            `json:"ordering_key"`
		}{m.Attributes, m.OrderingKey}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		s.Check(t, "pubsub.json", append(message, '\n'))
		if string(m.Data)+"\n" != string(body) {
			t.Errorf("the message does not have the bytes received: %s", m.Data)
		}
		o := cloud.Objects(t)[0]
		s.Check(t, "object.name", []byte(o.Attrs.Name+"\n"))
		s.Check(t, "object.ndjson", o.Content)
	}, "request.http", "pubsub.json", "object.name", "object.ndjson")
}

// environment returns an environment with Google's sinks.
func environment(getenv func(string) string) settings.Environment {
	return settings.Environment{Getenv: getenv, Sinks: google.Sinks()}
}

// env returns a Getenv function with the variables in pairs of name and value.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// A 200 has a body only for a client that accepts JSON.
func TestServeHTTP_successBody(t *testing.T) {
	r, _ := newReceiver(t, env("SINKS", "log:"))
	change := `{"msg":"write","key":["shop","s","000000000000000000000000000=",1],"gen":1,"exp":0,"lut":1795350896789,"bins":[]}`
	for _, tt := range []struct {
		name, accept, body, want string
	}{
		{"curl", "*/*", change, `{"changes":1,"stored":1}`},
		{"JSON", "text/html, application/json;q=0.9", change + "\n" + change, `{"changes":2,"stored":2}`},
		{"any application", "Application/*", change, `{"changes":1,"stored":1}`},
		{"not asked", "", change, ""},
		{"other media type", "text/plain", change, ""},
		{"no changes", "*/*", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
			req.Header.Set("Content-Type", "application/x-ndjson")
			if tt.accept != "" {
				req.Header.Set("Accept", tt.accept)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != tt.want {
				t.Errorf("status %d, body %q, want %q", w.Code, w.Body, tt.want)
			}
			if (w.Header().Get("Content-Type") == "application/json") != (tt.want != "") {
				t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
			}
		})
	}
}
