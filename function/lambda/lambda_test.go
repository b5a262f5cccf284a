package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// answered is an answer as a front reads it.
type answered struct {
	StatusCode        int
	StatusDescription string
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
	IsBase64Encoded   bool
}

func invoke(t testing.TB, h *Handler, event string) answered {
	t.Helper()
	text, err := h.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	var a answered
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

// unreachable is a handler that no request may reach.
func unreachable(t testing.TB) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler got a request") })
}

// echo answers with the body of the request.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })

// eventWith returns an event of an HTTP API with these members added.
func eventWith(members string) string {
	return `{"version":"2.0","rawPath":"/","requestContext":{"stage":"$default","http":{"method":"POST"}},"headers":{"content-type":"application/json"}` + members + `}`
}

// What is no event, or none that can be right, is a failure for every front, and no request.
func TestInvoke_refused(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	for _, tt := range []struct{ name, event, detail string }{
		{"nothing", "", "cut off"},
		{"white space", " \n", "cut off"},
		{"no object", `"event"`, "a string where an object belongs"},
		{"null", "null", "not an event of API Gateway"},
		{"empty", "{}", "not an event of API Gateway"},
		{"two events", eventWith("") + eventWith(""), "text behind it"},
		{"cut off in an object", `{"body":null`, "cut off"},
		{"cut off in a name", `{"bod`, "cut off"},
		{"cut off in the body", `{"body":"e30`, "cut off"},
		{"cut off in an escape", `{"body":"\u00`, "cut off"},
		{"cut off behind a backslash", `{"body":"\`, "cut off"},
		{"cut off behind the body", `{"body":"{}"`, "cut off"},
		{"no JSON", "POST / HTTP/1.1", "invalid JSON at byte 0"},
		{"invalid JSON behind the body", `{"body":"abc", oops}`, "invalid JSON at byte 15"},
		{"a member twice", eventWith(`,"rawPath":"/a"`), "invalid JSON"},
		{"the body twice", eventWith(`,"body":"{}","body":"[]"`), "invalid JSON"},
		{"the body twice, once with an escape", eventWith(`,"body":"{}","bod\u0079":"[]"`), "invalid JSON"},
		{"a header twice", eventWith(`,"multiValueHeaders":{"a":[],"a":[]}`), "invalid JSON"},
		{"nested deeply", eventWith(`,"x":` + deep), "invalid JSON"},
		{"nested deeply in the context", `{"requestContext":{"authorizer":` + deep, "invalid JSON"},
		{"a lone surrogate in the body", eventWith(`,"body":"\ud800"`), "invalid escape in a string"},
		{"a lone low surrogate in the body", eventWith(`,"body":"\udc00\ud800"`), "invalid escape in a string"},
		{"a lone surrogate in a header", eventWith(`,"multiValueHeaders":{"a":["\ud800"]}`), "invalid JSON"},
		{"an unknown escape in the body", eventWith(`,"body":"\x00"`), "invalid escape in a string"},
		{"an escape that is not hexadecimal", eventWith(`,"body":"\u00g0 and more"`), "invalid escape in a string"},
		{"a control character in the body", eventWith(",\"body\":\"a\nb\""), "control character"},
		{"a control character behind an escape", eventWith(",\"body\":\"\\\\a\x00b\""), "control character"},
		{"a body that is not UTF-8", eventWith(",\"body\":\"\xff\""), "not UTF-8"},
		{"a body that is not UTF-8, with an escape", eventWith(",\"body\":\"\\\\\xff\""), "not UTF-8"},
		{"a header that is not UTF-8", eventWith(",\"multiValueHeaders\":{\"a\":[\"\xff\"]}"), "invalid JSON"},
		{"a body that is a number", eventWith(`,"body":1`), "member body is a number"},
		{"a body that is true", eventWith(`,"body":true`), "member body is a boolean"},
		{"a body that is an object", eventWith(`,"body":{}`), "member body is JSON, want a string"},
		{"Base64 that is an object", eventWith(`,"body":{},"isBase64Encoded":true`), "member body is JSON, want a string"},
		{"Base64 with a line break", eventWith(",\"body\":\"e3\n0=\",\"isBase64Encoded\":true"), "the body is not Base64"},
		{"Base64 with an escaped line break", eventWith(`,"body":"e3\n0=","isBase64Encoded":true`), "the body is not Base64"},
		{"Base64 with other characters", eventWith(`,"body":"e3*=","isBase64Encoded":true`), "the body is not Base64"},
		{"Base64 with the alphabet of URLs", eventWith(`,"body":"_-__","isBase64Encoded":true`), "the body is not Base64"},
		{"Base64 without padding", eventWith(`,"body":"e30","isBase64Encoded":true`), "the body is not Base64"},
		{"Base64 that ends in other bits", eventWith(`,"body":"e31=","isBase64Encoded":true`), "the body is not Base64"},
		{"isBase64Encoded that is a string", eventWith(`,"body":"e30=","isBase64Encoded":"true"`), "member isBase64Encoded is a string"},
		{"headers that are a string", eventWith(`,"multiValueHeaders":"a: b"`), "member multiValueHeaders is a string, want a JSON object"},
		{"headers that are numbers", eventWith(`,"multiValueHeaders":{"a":[1]}`), "member multiValueHeaders has values that are not strings"},
		{"a header that is an object", eventWith(`,"multiValueHeaders":{"a":{}}`), "member multiValueHeaders has values that are not strings"},
		{"a header with a line break", eventWith(`,"multiValueHeaders":{"a":["b\r\nc: d"]}`), "a header that HTTP does not allow"},
		{"a name of a header with a line break", eventWith(`,"multiValueHeaders":{"a\n":["b"]}`), "a header that HTTP does not allow"},
		{"a header without a name", eventWith(`,"multiValueHeaders":{"":["b"]}`), "a header that HTTP does not allow"},
		{"cookies that are numbers", eventWith(`,"cookies":[1]`), "member cookies has values that are not strings"},
		{"cookies that are an object", eventWith(`,"cookies":{}`), "member cookies is a JSON object, want a JSON array"},
		{"a path that is a number", `{"rawPath":1}`, "member rawPath is a number, want a string"},
		{"a context that is a string", `{"requestContext":"x"}`, "a string where an object belongs"},
		{"parameters that are numbers", `{"requestContext":{"elb":{}},"queryStringParameters":{"a":1}}`, "member queryStringParameters has values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			registry := prometheus.NewRegistry()
			h := New(unreachable(t), Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: registry})
			a := invoke(t, h, tt.event)
			if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.Body, tt.detail) || a.IsBase64Encoded {
				t.Errorf("%+v, want %s", a, tt.detail)
			}
			if !strings.Contains(log.String(), "level=ERROR") || testutil.ToFloat64(h.refused) != 1 {
				t.Errorf("logged %s, counted %v", &log, testutil.ToFloat64(h.refused))
			}
		})
	}
}

// Errors hold nothing of a body: neither its text nor names of its members.
func TestInvoke_refusedWithoutData(t *testing.T) {
	for _, body := range []string{`{"secret":1 secret}`, `{"secret":"secret\xsecret"}`, `"secret\usecret"`, "\"secret\x00secret\"", `["secret",secret]`, `{"secret":1,"secret":2}`} {
		var log bytes.Buffer
		h := New(unreachable(t), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for _, e := range []string{eventWith(`,"body":` + body), `{"aerosink":1,"body":` + body + `}`, `{"aerosink":1,"bod\u0079":` + body + `}`} {
			if a := invoke(t, h, e); strings.Contains(a.Body+log.String(), "secret") {
				t.Errorf("%s: answered %s, logged %s", e, a.Body, &log)
			}
		}
	}
}

// Lambda's limit cuts an event off. Smaller requests can pass, and a 413 asks for them.
func TestInvoke_eventOverSixMegabytes(t *testing.T) {
	h := New(unreachable(t), Options{})
	whole := eventWith(`,"body":"` + strings.Repeat("A", maxEvent) + `"`)
	if a := invoke(t, h, whole[:maxEvent]); a.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(a.Body, "send fewer changes at once") {
		t.Errorf("%+v", a)
	}
}

// An event of almost 6 MB passes.
func TestInvoke_largestEvent(t *testing.T) {
	body := strings.Repeat("é\"", maxEvent/5)
	quoted, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if a := invoke(t, New(echo, Options{}), eventWith(`,"body":`+string(quoted))); a.Body != body {
		t.Errorf("%d bytes, want %d", len(a.Body), len(body))
	}
	text := base64.StdEncoding.EncodeToString([]byte(body))
	if a := invoke(t, New(echo, Options{}), eventWith(`,"body":"`+text[:maxEvent/4*3]+`","isBase64Encoded":true`)); !strings.HasPrefix(body, a.Body) || len(a.Body) < maxEvent/2 {
		t.Errorf("%d bytes of %d", len(a.Body), len(body))
	}
}

// Unknown members, nulls, escapes and white space change nothing.
func TestInvoke_unusual(t *testing.T) {
	h := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %v ", r.Method, r.RequestURI, r.Header)
		_, _ = io.Copy(w, r.Body)
	}), Options{})
	for _, e := range []string{
		eventWith(`,"body":"{}"`),
		eventWith(`,"bod\u0079":"{}"`),
		eventWith(`,"body":"\u007b\u007D"`),
		eventWith(`,"body" : "{}" ,"headers2":{"x":["y"]},"multiValueHeaders":null,"cookies":null,"isBase64Encoded":null,"version2":1e999`),
		eventWith(`,"nested":{"body":"[]","requestContext":{"elb":{}}},"body":"{}","list":["body","body"]`),
		eventWith(`,"body":"e30=","isBase64Encoded":true`),
		eventWith(`,"body":"e\u00330=","isBase64Encoded":true`),
		eventWith(`,"multiValueHeaders":{"content-TYPE":["application/json"],"X":null,"y":[]},"body":"{}"`),
	} {
		if a := invoke(t, h, e); a.StatusCode != http.StatusOK || a.Body != "POST / map[Content-Type:[application/json]] {}" {
			t.Errorf("%s: %+v", e, a)
		}
	}
}

// A body that a front has broken is never parsed, and its sender keeps it: a 503 is no verdict
// on the changes, as a 415 would be. Text may hold U+FFFD, which people may have stored.
func TestInvoke_brokenBody(t *testing.T) {
	const fffd = "\uFFFD"
	for _, tt := range []struct {
		name, mediaType, coding, body string
		broken                        bool
	}{
		{"MessagePack", "application/x-msgpack", "", fffd + "a", true},
		{"MessagePack that is text", "application/x-msgpack", "", "\x01", true},
		{"XDR", "application/vnd.aerosink.xdr", "", fffd, true},
		{"Avro", "application/avro", "", "Obj\x01", true},
		{"bytes", "application/octet-stream", "", "a", true},
		{"gzip", "application/json", "gzip", "\x1f" + fffd + "\b", true},
		{"gzip and identity", "application/json", "identity, gzip", "\x1f" + fffd + "\b", true},
		{"zstd", "application/x-ndjson", "zstd", "(" + fffd + "/" + fffd, true},
		{"gzip whose coding a front has dropped", "application/json", "", "\x1f" + fffd + "\b", true},
		{"JSON with U+FFFD outside", "application/x-ndjson", "", fffd + `{"a":1}`, true},
		{"no media type", "", "", "\x1f" + fffd, true},
		{"JSON", "application/json", "", `{"a":1}`, false},
		{"JSON with U+FFFD", "application/json", "", ` {"a":"` + fffd + `"}`, false},
		{"JSON with U+FFFD in an array", "application/json; charset=utf-8", "identity", `[{"a":"` + fffd + `"}]`, false},
		{"NDJSON with U+FFFD", "Application/X-NDJSON", "", "{}\n{\"a\":\"" + fffd + "\"}", false},
		{"a structured suffix", "application/cloudevents+json", "", "{}", false},
		{"text that the receiver refuses", "text/plain", "", "a", false},
		{"no media type, which the receiver refuses", "", "", "a", false},
		{"JSON that is not JSON, which the receiver refuses", "application/json", "", "oops", false},
		{"no body", "application/x-msgpack", "gzip", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, envelope := range []string{
				`{"httpMethod":"POST","path":"/","requestContext":{"requestId":"x","stage":"p"},"isBase64Encoded":false,`,
				`{"rawPath":"/","requestContext":{"http":{"method":"POST"}},`,
				`{"httpMethod":"POST","path":"/","requestContext":{"elb":{}},`,
			} {
				quoted, err := json.Marshal(tt.body)
				if err != nil {
					t.Fatal(err)
				}
				e := envelope + fmt.Sprintf(`"headers":{"Content-Type":%q,"Content-Encoding":%q},"body":%s}`, tt.mediaType, tt.coding, quoted)
				a := invoke(t, New(echo, Options{}), e)
				switch {
				case !tt.broken && (a.StatusCode != http.StatusOK || a.Body != tt.body):
					t.Errorf("%s: %+v, want %q", e, a, tt.body)
				case tt.broken && (a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.Body, "passes a binary body as text")):
					t.Errorf("%s: %+v, want 503", e, a)
				case tt.broken && strings.Contains(envelope, "requestId") && !strings.Contains(a.Body, "set its binaryMediaTypes to */*"):
					t.Errorf("%s: %s does not say what to change", e, a.Body)
				}
			}
		})
	}
}

// A template that makes Base64 of a broken body does not make it whole.
func TestInvoke_brokenBodyInBase64(t *testing.T) {
	for _, tt := range []struct {
		envelope, mediaType, body string
		broken                    bool
	}{
		{`{"aerosink":1`, "application/x-msgpack", "\uFFFDmsg", true},
		{`{"httpMethod":"POST"`, "application/x-msgpack", "\uFFFDmsg", true},
		{`{"aerosink":1`, "application/x-msgpack", "\x81\uFFFDmsg", false}, // it has bytes that are no text
		{`{"aerosink":1`, "application/x-msgpack", "\x01msg", false},
		{`{"aerosink":1`, "application/json", "{\"a\":\"\uFFFD\"}", false},
		{`{"httpMethod":"POST","requestContext":{"requestId":"x"}`, "application/avro", "\x02\uFFFD", false}, // with its flag the front has passed bytes
	} {
		e := fmt.Sprintf(`%s,"headers":{"Content-Type":%q},"isBase64Encoded":true,"body":%q}`, tt.envelope, tt.mediaType, base64.StdEncoding.EncodeToString([]byte(tt.body)))
		want := http.StatusOK
		if tt.broken {
			want = http.StatusServiceUnavailable
		}
		if a := invoke(t, New(echo, Options{}), e); a.StatusCode != want || tt.broken && !strings.Contains(a.Body, "binaryMediaTypes") {
			t.Errorf("%s: %+v, want %d", e, a, want)
		}
	}
}

// An integration that hides failures is logged once, not for each request.
func TestInvoke_failuresInvisible(t *testing.T) {
	var log bytes.Buffer
	h := New(echo, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		if a := invoke(t, h, `{"httpMethod":"POST","body":{}}`); a.StatusCode != http.StatusOK || a.Body != "{}" {
			t.Fatalf("%+v", a)
		}
	}
	if n := strings.Count(log.String(), "failures are invisible"); n != 1 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("%d times: %s", n, &log)
	}
	log.Reset()
	invoke(t, New(echo, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}), `{"aerosink":1,"httpMethod":"POST","body":{}}`)
	if log.Len() > 0 {
		t.Errorf("with our templates: %s", &log)
	}
}

// The context of a request ends half a second before the invocation.
func TestInvoke_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		h := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}), Options{})
		answer, err := h.Invoke(ctx, []byte(eventWith("")))
		if took := time.Since(began); err != nil || took != 2500*time.Millisecond || !bytes.Contains(answer, []byte(`"statusCode":503`)) {
			t.Errorf("%s after %s, %v", answer, took, err)
		}
	})
}

// What cannot be done in time is not begun.
func TestInvoke_tooLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, left := range []time.Duration{-time.Second, 0, 500 * time.Millisecond, 599 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			answer, err := New(unreachable(t), Options{}).Invoke(ctx, []byte(eventWith(`,"body":"{}"`)))
			if err != nil || !bytes.Contains(answer, []byte(`"statusCode":503`)) || !bytes.Contains(answer, []byte("set the function's timeout")) {
				t.Errorf("%s: %s, %v", left, answer, err)
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		if answer, err := New(echo, Options{}).Invoke(ctx, []byte(eventWith(`,"body":"{}"`))); err != nil || !bytes.Contains(answer, []byte(`"statusCode":200`)) {
			t.Errorf("%s, %v", answer, err)
		}
	})
}

// A panic is a 500, with nothing of its value in the answer and the log, and the next
// invocation is answered.
func TestInvoke_panic(t *testing.T) {
	var log bytes.Buffer
	var fault any
	h := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		if fault != nil {
			panic(fault)
		}
	}), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, fault = range []any{"secret", errors.New("secret"), http.ErrAbortHandler} {
		log.Reset()
		if a := invoke(t, h, eventWith("")); a.StatusCode != http.StatusInternalServerError || strings.Contains(a.Body+log.String(), "secret") || !strings.Contains(log.String(), "stack_trace") {
			t.Errorf("%v: %+v, logged %s", fault, a, &log)
		}
	}
	fault = nil
	if a := invoke(t, h, eventWith("")); a.StatusCode != http.StatusOK {
		t.Errorf("%+v", a)
	}
}

// Concurrent invocations do not share memory.
func TestInvoke_concurrent(t *testing.T) {
	h := New(echo, Options{Answered: func(context.Context) {}})
	var invoking sync.WaitGroup
	for i := range 8 {
		invoking.Go(func() {
			for n := range 200 {
				body := strings.Repeat(fmt.Sprintf("\"%d\\%d", i, n), 1+n*7%200)
				quoted, err := json.Marshal(body)
				if err != nil {
					t.Error(err)
				}
				e := eventWith(`,"body":` + string(quoted))
				if n%2 == 1 {
					e = eventWith(`,"isBase64Encoded":true,"body":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `"`)
				}
				if a := invoke(t, h, e); a.Body != body {
					t.Errorf("%q, want %q", a.Body, body)
				}
			}
		})
	}
	invoking.Wait()
}

// Answered is called once for each invocation, whatever becomes of it.
func TestInvoke_answered(t *testing.T) {
	n := 0
	h := New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("") }), Options{Answered: func(context.Context) { n++ }})
	for i, e := range []string{"", "{}", eventWith(""), `[]`} {
		_, _ = h.Invoke(t.Context(), []byte(e))
		if n != i+1 {
			t.Errorf("%s: called %d times", e, n)
		}
	}
}

func TestInvoke_paths(t *testing.T) {
	for _, tt := range []struct{ base, event, want string }{
		{"", `{"rawPath":"/prod","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/"},
		{"", `{"rawPath":"/prod/","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/"},
		{"", `{"rawPath":"/production","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/production"},
		{"", `{"rawPath":"/prod/prod","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/prod"},
		{"", `{"rawPath":"/$default","requestContext":{"stage":"$default","http":{"method":"GET"}}}`, "/$default"},
		{"", `{"rawPath":"","requestContext":{"http":{"method":"GET"}}}`, "/"},
		{"", `{"rawPath":"/a%2Fb/%zz","requestContext":{"http":{"method":"GET"}}}`, "/a%252Fb/%25zz"},
		{"", `{"rawPath":"/a%2Fb","requestContext":{"http":{"method":"GET"}}}`, "/a%2Fb"},
		{"", `{"rawPath":"/é x?","requestContext":{"http":{"method":"GET"}}}`, "/%C3%A9%20x%3F"},
		{"/changes/", `{"rawPath":"/changes/readyz","requestContext":{"stage":"$default","http":{"method":"GET"}}}`, "/readyz"},
		{"changes", `{"rawPath":"/prod/changes","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/"},
		{"changes", `{"rawPath":"/","requestContext":{"stage":"prod","http":{"method":"GET"}}}`, "/"},
		{"changes", `{"httpMethod":"GET","path":"/changes","requestContext":{"requestId":"x","stage":"prod"}}`, "/"},
		{"", `{"httpMethod":"GET","path":"/prod","requestContext":{"requestId":"x","stage":"prod"}}`, "/prod"},
		{"", `{"httpMethod":"GET","path":"/x","requestContext":{"elb":{}}}`, "/x"},
		{"", `{"aerosink":1,"httpMethod":"GET","path":"/prod/x","stage":"prod"}`, "/x"},
		{"/", `{"aerosink":1,"httpMethod":"GET"}`, "/"},
	} {
		h := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }), Options{BasePath: tt.base})
		if a := invoke(t, h, tt.event); a.Body != tt.want {
			t.Errorf("%s with the base path %q: %s, want %s", tt.event, tt.base, a.Body, tt.want)
		}
	}
}

func TestInvoke_responses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(w http.ResponseWriter)
		want answered
	}{
		{"nothing", func(http.ResponseWriter) {}, answered{StatusCode: 200, Headers: map[string]string{}}},
		{"bytes", func(w http.ResponseWriter) { _, _ = w.Write([]byte{0xff}) }, answered{StatusCode: 200, Headers: map[string]string{}, Body: "/w==", IsBase64Encoded: true}},
		{"two statuses", func(w http.ResponseWriter) {
			w.WriteHeader(100)
			w.WriteHeader(404)
			w.WriteHeader(200)
		}, answered{StatusCode: 404, Headers: map[string]string{}}},
		{"headers after the status", func(w http.ResponseWriter) {
			w.WriteHeader(200)
			w.Header().Set("A", "b")
		}, answered{StatusCode: 200, Headers: map[string]string{}}},
		{"headers of a connection", func(w http.ResponseWriter) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Length", "7")
			w.Header().Set("Allow", "GET, POST")
		}, answered{StatusCode: 200, Headers: map[string]string{"Allow": "GET, POST"}}},
		{"a line break in a header", func(w http.ResponseWriter) { w.Header().Set("A", "b\r\nc: d") }, answered{StatusCode: 200, Headers: map[string]string{"A": "b  c: d"}}},
		{"a header without values", func(w http.ResponseWriter) { w.Header()["A"] = nil }, answered{StatusCode: 200, Headers: map[string]string{}}},
		{"a body that a status does not have", func(w http.ResponseWriter) {
			w.WriteHeader(204)
			_, _ = w.Write([]byte("a"))
		}, answered{StatusCode: 204, Headers: map[string]string{}}},
		{"an invalid status", func(w http.ResponseWriter) { w.WriteHeader(1000) }, answered{StatusCode: 500, Headers: map[string]string{"Content-Type": "application/problem+json"},
			Body: `{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal error; see the function's log"}` + "\n"}},
	} {
		a := invoke(t, New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.do(w) }), Options{}), eventWith(""))
		if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, a, tt.want)
		}
	}
}

func TestTraceParent(t *testing.T) {
	const trace = "1-67891233-abcdef012345678912345678"
	for value, want := range map[string]string{
		"Root=" + trace + ";Parent=463ac35c9f6413ad;Sampled=1":                        "00-67891233abcdef012345678912345678-463ac35c9f6413ad-01",
		"Sampled=0; Parent=463ac35c9f6413ad; Self=1-2-3; Root=" + trace + ";Lineage=": "00-67891233abcdef012345678912345678-463ac35c9f6413ad-00",
		"Root=" + trace + ";Parent=463ac35c9f6413ad":                                  "00-67891233abcdef012345678912345678-463ac35c9f6413ad-00",
		"Root=" + trace: "",
		"":              "",
		"Root=" + trace + ";Parent=463ac35c9f6413a":                        "",
		"Root=" + trace + ";Parent=463AC35C9F6413AD":                       "",
		"Root=2-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad": "",
		"Root=1-67891233abcdef012345678912345678;Parent=463ac35c9f6413ad":  "",
	} {
		if got := traceParent(value); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

// A front that names no parent leaves the trace to Lambda, and a sender's traceparent stays.
func TestInvoke_traceOfTheInvocation(t *testing.T) {
	const ofLambda = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"
	h := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Traceparent")) }), Options{})
	//lint:ignore SA1029 the key is that of aws-lambda-go
	ctx := context.WithValue(t.Context(), traceKey, ofLambda) //nolint:staticcheck // the same
	for headers, want := range map[string]string{
		`{}`: "00-67891233abcdef012345678912345678-463ac35c9f6413ad-01",
		`{"x-amzn-trace-id":"Root=1-00000001-abcdef012345678912345678"}`:                         "00-67891233abcdef012345678912345678-463ac35c9f6413ad-01",
		`{"x-amzn-trace-id":"Root=1-00000001-abcdef012345678912345678;Parent=0000000000000001"}`: "00-00000001abcdef012345678912345678-0000000000000001-00",
		`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`:              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		answer, err := h.Invoke(ctx, []byte(`{"requestContext":{"http":{"method":"POST"}},"headers":`+headers+`}`))
		if err != nil || !bytes.Contains(answer, []byte(`"body":"`+want+`"`)) {
			t.Errorf("%s: %s, %v, want %s", headers, answer, err, want)
		}
	}
}
