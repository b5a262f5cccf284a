package function_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

const (
	deadLetterTopic = "projects/test-project/topics/dead-letters"
	deadLetterSink  = "pubsub://test-project/dead-letters"
	token           = "a-token-for-this-test"
)

// answered is the answer that is wanted for a request.
type answered struct {
	status      int
	detail      string // part of the detail of a problem or of the reason of a report
	retry, dead []int  // of a report; nil if there is no report
}

// ok is a 200 without a body.
var ok = answered{status: 200}

// The response matrix of the contract, for requests, without and with dead letters.
// TestServeHTTP_verdicts has the matrix for verdicts of sinks.
func TestServeHTTP_requests(t *testing.T) {
	good, other := jsonChange(1), jsonChange(2)
	datum := sample(t, "avro-map-write.avro.hex")
	packed := sample(t, "msgpack-delete.msgpack.hex")
	message := xdrChange(t)
	deep := strings.Replace(good, `"bins":[]`, `"bins":[{"name":"b","type":"list","value":`+strings.Repeat("[", 9)+strings.Repeat("]", 9)+`}]`, 1)
	refused := func(status int, detail string) answered { return answered{status: status, detail: detail} }
	reports := func(status int, detail string, retry, dead []int) answered {
		return answered{status, detail, retry, dead}
	}
	deadLettered := func(detail string, dead ...int) answered { return answered{200, detail, []int{}, dead} }
	for _, tt := range []struct {
		name                    string
		method, path, mediaType string
		header                  string
		body                    string
		published               int
		without, with           answered // without and with dead letters
	}{
		{"one change", "POST", "/", "application/json", "", good, 1, ok, ok},
		{"parameters and case", "POST", "/", "Application/JSON; charset=UTF-8", "", good, 1, ok, ok},
		{"an array", "POST", "/", "application/json", "", "[" + good + "," + other + "]", 2, ok, ok},
		{"one after another", "POST", "/", "application/json", "", good + other, 2, ok, ok},
		{"lines", "POST", "/", "application/x-ndjson", "", good + "\n" + other + "\n", 2, ok, ok},
		{"flat JSON", "POST", "/", "application/json", "", `{"metadata":{"namespace":"n","digest":"4cggTFyCxaDjqb2pso88/imO2Sg=","msg":"delete"}}`, 1, ok, ok},
		{"XDR behind ESP's version", "POST", "/", "application/octet-stream", "", "\x01" + message, 1, ok, ok},
		{"several XDR messages", "POST", "/", "application/vnd.aerosink.xdr", "", message + message, 2, ok, ok},
		{"MessagePack", "POST", "/", "application/x-msgpack", "", packed, 1, ok, ok},
		{"several, by another name", "POST", "/", "Application/MsgPack", "", packed + packed, 2, ok, ok},
		{"a datum of Avro", "POST", "/", "avro/binary", "", datum, 1, ok, ok},
		{"identity encoding", "POST", "/", "application/json", "Content-Encoding: identity", good, 1, ok, ok},
		{"gzip", "POST", "/", "application/json", "Content-Encoding: gzip", string(gzipped(t, []byte(good))), 1, ok, ok},

		{"health check", "GET", "/", "", "", "", 0, ok, ok},
		{"health check at /healthz", "GET", "/healthz", "", "Authorization: none", "", 0, ok, ok},
		{"readiness", "GET", "/readyz", "", "", "", 0, ok, ok},
		{"health check with HEAD", "HEAD", "/", "", "Authorization: none", "", 0, ok, ok},
		{"health check with OPTIONS", "OPTIONS", "/", "", "", "", 0, ok, ok},
		{"health check with another media type", "GET", "/", "text/plain", "", "", 0, ok, ok},
		{"empty POST", "POST", "/", "", "", "", 0, ok, ok},
		{"empty array", "POST", "/", "application/json", "", "[]", 0, ok, ok},
		{"empty lines", "POST", "/", "application/x-ndjson", "", "\n\n", 0, ok, ok},

		// Only a POST stores changes, and nothing else that may carry some is answered with 200.
		{"PUT", "PUT", "/", "application/json", "", good, 0, refused(405, "PUT stores nothing; POST changes to /"), refused(405, "PUT stores nothing; POST changes to /")},
		{"PATCH without a token", "PATCH", "/", "application/json", "Authorization: none", good, 0, refused(405, "PATCH stores nothing"), refused(405, "PATCH stores nothing")},
		{"DELETE", "DELETE", "/", "", "", "", 0, refused(405, "DELETE stores nothing"), refused(405, "DELETE stores nothing")},
		{"unknown method", "STORE", "/", "application/json", "", good, 0, refused(405, "STORE stores nothing"), refused(405, "STORE stores nothing")},
		{"PUT to /healthz", "PUT", "/healthz", "application/json", "", good, 0, refused(405, "PUT stores nothing"), refused(405, "PUT stores nothing")},
		{"POST to /healthz", "POST", "/healthz", "application/json", "", good, 0, refused(405, "POST changes to /"), refused(405, "POST changes to /")},
		{"POST to /readyz", "POST", "/readyz", "application/json", "", good, 0, refused(405, "POST changes to /"), refused(405, "POST changes to /")},
		{"redirected POST", "GET", "/", "application/json", "Authorization: none", "", 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"redirected POST with parameters and case", "GET", "/", "Application/X-NDJSON; charset=utf-8; =", "", "", 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"redirected POST to /healthz", "GET", "/healthz", "application/x-msgpack", "", "", 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"redirected POST to /readyz", "GET", "/readyz", "application/avro", "", "", 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"OPTIONS with a media type", "OPTIONS", "/", "application/octet-stream", "", "", 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"GET with a body", "GET", "/", "", "", good, 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},
		{"GET with a body without a length", "GET", "/", "", "Transfer-Encoding: chunked", good, 0, refused(405, "was this POST redirected?"), refused(405, "was this POST redirected?")},

		{"another path", "POST", "/changes", "application/json", "", good, 0, refused(404, "POST changes to /"), refused(404, "POST changes to /")},
		{"another path with GET", "GET", "/changes", "", "", "", 0, refused(404, "POST changes to /"), refused(404, "POST changes to /")},
		{"another path with PUT", "PUT", "/changes", "application/json", "", good, 0, refused(404, "POST changes to /"), refused(404, "POST changes to /")},
		{"metrics", "GET", "/metrics", "", "", "", 0, refused(404, "metrics are on METRICS_PORT"), refused(404, "metrics are on METRICS_PORT")},
		{"no token", "POST", "/", "application/json", "Authorization: none", good, 0, refused(401, "the request needs a header Authorization: Bearer TOKEN"), refused(401, "the request needs a header Authorization: Bearer TOKEN")},
		{"another token", "POST", "/", "application/json", "Authorization: Bearer secret-of-another", good, 0, refused(401, "the request needs a header Authorization: Bearer TOKEN"), refused(401, "the request needs a header Authorization: Bearer TOKEN")},
		{"readiness without a token", "GET", "/readyz", "", "Authorization: none", "", 0, refused(401, "the request needs a header Authorization: Bearer TOKEN"), refused(401, "the request needs a header Authorization: Bearer TOKEN")},

		// Errors in the sender's configuration do not lead to dead letters.
		{"no media type", "POST", "/", "", "", good, 0, refused(415, `Content-Type "" is not a media type`), refused(415, `Content-Type "" is not a media type`)},
		{"half a media type", "POST", "/", "json", "", good, 0, refused(415, "unsupported media type"), refused(415, "unsupported media type")},
		{"another media type", "POST", "/", "text/plain", "", good, 0, refused(415, "unsupported media type"), refused(415, "unsupported media type")},
		{"another content encoding", "POST", "/", "application/json", "Content-Encoding: br", good, 0, refused(415, `unsupported Content-Encoding "br"`), refused(415, `Content-Encoding "br"`)},
		{"wrong content encoding", "POST", "/", "application/json", "Content-Encoding: gzip", good, 0, refused(400, "the body does not inflate"), refused(400, "the body does not inflate")},
		{"too large", "POST", "/", "application/json", "", `["` + strings.Repeat("x", 10<<10) + `"]`, 0, refused(413, "the limit of MAX_BODY"), refused(413, "the limit of MAX_BODY")},
		{"too many changes", "POST", "/", "application/json", "", strings.Repeat(good, 5), 0, refused(413, "more than 4 changes in one body"), refused(413, "more than 4 changes")},

		{"not JSON", "POST", "/", "application/json", "", "secret", 0, refused(400, "byte 0: not JSON"), deadLettered("byte 0: not JSON", 0)},
		{"JSON cut", "POST", "/", "application/json", "", good + good[:40], 0, refused(400, "unexpected end of JSON"), deadLettered("unexpected end of JSON", 0)},
		{"XDR cut", "POST", "/", "application/octet-stream", "", message[:20], 0, refused(400, "byte 0: unexpected EOF"), deadLettered("byte 0: unexpected EOF", 0)},
		{"not MessagePack", "POST", "/", "application/x-msgpack", "", "\xc1secret", 0, refused(400, "byte 0: not MessagePack"), deadLettered("byte 0: not MessagePack", 0)},
		{"a datum cut", "POST", "/", "application/avro", "", datum[:20], 0, refused(400, "5 bytes announced, 2 left"), deadLettered("5 bytes announced, 2 left", 0)},

		{"not a change", "POST", "/", "application/json", "", `{"secret":"secret"}`, 0, refused(400, "1 of 1 change cannot be stored: change 0: byte 0: neither JSON"), deadLettered("1 of 1 change became a dead letter: change 0: byte 0: neither JSON", 0)},
		{"lines, two of them invalid", "POST", "/", "application/x-ndjson", "", "secret\n" + good + "\n{}\n" + other, 2, reports(400, "2 of 4 changes cannot be stored: change 0: byte 0", []int{0, 2}, []int{}), deadLettered("2 of 4 changes became dead letters: change 0: byte 0", 0, 2)},
		{"XDR, one message invalid", "POST", "/", "application/octet-stream", "", message + "\x02\x03\x00\x00\x00\x00\x00\x06secret", 1, reports(400, "change 1: byte", []int{1}, []int{}), deadLettered("change 1: byte", 1)},
		{"MessagePack, one value invalid", "POST", "/", "application/x-msgpack", "", packed + "\xa6secret", 1, reports(400, "change 1: byte", []int{1}, []int{}), deadLettered("change 1: byte", 1)},
		{"a change that is too large", "POST", "/", "application/x-ndjson", "", good + "\n" + strings.Replace(good, `"bins":[]`, `"bins":[`+strings.Repeat(" ", 5<<10)+`]`, 1), 1, reports(413, "change 1: byte", []int{1}, []int{}), deadLettered("too large", 1)},
		{"a change that is too deep", "POST", "/", "application/json", "", deep + good, 1, reports(413, "nest deeper than 8", []int{0}, []int{}), deadLettered("nest deeper than 8", 0)},
		{"a change that is too deep and an invalid one", "POST", "/", "application/json", "", deep + "{}", 0, reports(400, "nest deeper than 8", []int{0, 1}, []int{}), deadLettered("nest deeper than 8", 0, 1)},
	} {
		for name, want := range map[string]answered{"": tt.without, deadLetterSink: tt.with} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				cloud := sinktest.New(t)
				if _, err := cloud.PubSub.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: deadLetterTopic}); err != nil {
					t.Fatal(err)
				}
				r, log := newReceiver(t, env("SINKS", both, "DEAD_LETTERS", name, "AUTH_TOKENS", token, "MAX_BODY", "10KiB", "MAX_CHANGE", "4KiB", "MAX_CHANGES", "4",
					"MAX_DEPTH", "8", "AVRO_SCHEMA", changetest.Testdata(t, "payloads", "schema-map.avsc")))
				req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
				req.Header.Set("Authorization", "Bearer "+token)
				if tt.mediaType != "" {
					req.Header.Set("Content-Type", tt.mediaType)
				}
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					req.Header.Set(name, value)
				}
				if req.Header.Get("Transfer-Encoding") != "" {
					req.ContentLength = -1 // as net/http sets it
				}
				w := httptest.NewRecorder()
				r.ServeHTTP(w, req)
				want.check(t, w)
				var deadLetters []string
				for _, m := range cloud.Messages() {
					if m.Topic == deadLetterTopic {
						deadLetters = append(deadLetters, string(m.Data))
					}
				}
				if n := len(cloud.Messages()) - len(deadLetters); n != tt.published || len(deadLetters) != len(want.dead) {
					t.Errorf("%d changes and %d dead letters published, want %d and %d", n, len(deadLetters), tt.published, len(want.dead))
				}
				if strings.Contains(w.Body.String()+log.String(), "secret") {
					t.Errorf("data in the answer or the log: %s %s", w.Body, log)
				}
				if logged := log.Len() > 0; logged != (want.detail != "") {
					t.Errorf("log %q", log)
				}
			})
		}
	}
}

func (want answered) check(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	switch {
	case w.Code != want.status:
		t.Errorf("status %d, want %d: %s", w.Code, want.status, w.Body)
	case want.detail == "" && w.Body.Len() > 0:
		t.Errorf("body %s", w.Body)
	case want.detail != "" && want.retry == nil:
		checkProblem(t, w, want.status, want.detail)
	case want.detail != "":
		var report struct {
			Changes     int
			Retry, Dead []int
			Reason      string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if mediaType := w.Header().Get("Content-Type"); mediaType != "application/vnd.aerosink.report+json" {
			t.Errorf("media type %s", mediaType)
		}
		if report.Retry == nil || report.Dead == nil || !slices.Equal(report.Retry, want.retry) || !slices.Equal(report.Dead, want.dead) || !strings.Contains(report.Reason, want.detail) {
			t.Errorf("report %+v, want %+v", report, want)
		}
	}
	if allow := w.Header().Get("Allow"); (w.Code == http.StatusMethodNotAllowed) != strings.HasPrefix(allow, "GET, HEAD, OPTIONS") {
		t.Errorf("Allow: %s", allow)
	}
	if (w.Code == http.StatusUnauthorized) != (w.Header().Get("Www-Authenticate") == "Bearer") {
		t.Errorf("header %v", w.Header())
	}
}
