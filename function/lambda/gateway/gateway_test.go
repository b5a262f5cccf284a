package gateway

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// function is a function of Lambda.
type function func(ctx context.Context, event []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// returns is a function that answers every event with text.
func returns(text string) function {
	return func(context.Context, []byte) ([]byte, error) { return []byte(text), nil }
}

// send sends a request to g, and returns the response and its body.
func send(t *testing.T, g *Gateway, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestAnswer(t *testing.T) {
	const full = `{"statusCode":503,"statusDescription":"503 Service Unavailable","headers":{"Content-Type":"text/plain","Retry-After":"1","Connection":"close"},` +
		`"multiValueHeaders":{"content-type":["text/plain"],"Via":["a","b"]},"body":"é","isBase64Encoded":false}`
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	plain, json := "text/plain", "application/json"
	for _, tt := range []struct {
		fronts []Front
		answer string
		status int
		header http.Header // nil is not looked at
		body   string
	}{
		{[]Front{HTTPAPI2, FunctionURL, ALB}, full, 503, header("Content-Type", plain, "Retry-After", "1"), "é"},
		{[]Front{HTTPAPI1, RESTProxy}, full, 503, header("Content-Type", plain, "Retry-After", "1", "Via", "a", "Via", "b"), "é"},
		{[]Front{ALBMulti}, full, 503, header("Content-Type", plain, "Via", "a", "Via", "b"), "é"},
		{[]Front{RESTTemplates}, full, 503, header("Content-Type", json), "é"},
		{[]Front{RESTCustom}, full, 200, header("Content-Type", json), full},
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL, ALB, ALBMulti}, `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, header(), "\xff"},
		{[]Front{RESTProxy}, `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, header("Content-Type", json), "/w=="},
		{[]Front{HTTPAPI2, FunctionURL}, `{"statusCode":200,"cookies":["a=1","b=2"]}`, 200, header("Set-Cookie", "a=1", "Set-Cookie", "b=2"), ""},
		// JSON without a status is the body of a 200 for payload format 2.0, and malformed for all others.
		{[]Front{HTTPAPI2, FunctionURL, RESTCustom}, `{"message":"failed"}`, 200, header("Content-Type", json), `{"message":"failed"}`},
		{[]Front{HTTPAPI2, FunctionURL, RESTCustom}, `[1]`, 200, nil, `[1]`},
		{[]Front{HTTPAPI1, RESTTemplates}, `{"message":"failed"}`, 500, header("Content-Type", json), `{"message":"Internal Server Error"}`},
		{[]Front{RESTProxy}, `{"message":"failed"}`, 502, header("Content-Type", json), `{"message":"Internal server error"}`},
		{[]Front{ALB, ALBMulti}, `{"message":"failed"}`, 502, header("Content-Type", "text/html"), "<html><head><title>502 Bad Gateway</title></head></html>\n"},
	} {
		for _, front := range tt.fronts {
			g := &Gateway{Front: front, Function: returns(tt.answer)}
			response, body := send(t, g, httptest.NewRequest(http.MethodPost, "/", nil))
			if response.StatusCode != tt.status || body != tt.body {
				t.Errorf("%s, %s: %d %q, want %d %q", front, tt.answer, response.StatusCode, body, tt.status, tt.body)
			}
			maps.DeleteFunc(response.Header, func(_ string, values []string) bool { return len(values) == 0 })
			if diff := cmp.Diff(tt.header, response.Header); tt.header != nil && diff != "" {
				t.Errorf("%s, %s: headers (-want +got)\n%s", front, tt.answer, diff)
			}
		}
	}
}

// An answer that a front does not understand is never a success, where the front shows
// failures at all.
func TestAnswer_malformed(t *testing.T) {
	failure := map[Front]int{HTTPAPI2: 500, HTTPAPI1: 500, FunctionURL: 502, RESTProxy: 502, RESTTemplates: 500, ALB: 502, ALBMulti: 502}
	for name, answer := range map[string]string{
		"not JSON": "OK", "empty": "", "cut off": `{"statusCode":200`, "status in text": `{"statusCode":"200"}`, "no status": `{"statusCode":0}`,
		"informational": `{"statusCode":100}`, "too large": `{"statusCode":600}`, "body is JSON": `{"statusCode":200,"body":{}}`,
		"header is a number": `{"statusCode":200,"headers":{"A":1}}`, "no list": `{"statusCode":200,"multiValueHeaders":{"A":"1"}}`,
	} {
		for front, want := range failure {
			g := &Gateway{Front: front, Function: returns(answer)}
			if response, body := send(t, g, httptest.NewRequest(http.MethodPost, "/", nil)); response.StatusCode != want {
				t.Errorf("%s, %s: %d %s, want %d", front, name, response.StatusCode, body, want)
			}
			if err := g.Answer(httptest.NewRecorder(), []byte(answer)); err == nil {
				t.Errorf("%s, %s: no error", front, name)
			}
		}
	}
	for front, answer := range map[Front]string{
		ALB: `{"statusCode":200,"multiValueHeaders":{"A":["1"]}}`, ALBMulti: `{"statusCode":200,"headers":{"A":"1"}}`,
		HTTPAPI2: `{"statusCode":200,"body":"?","isBase64Encoded":true}`,
	} {
		g := &Gateway{Front: front, Function: returns(answer)}
		if response, _ := send(t, g, httptest.NewRequest(http.MethodPost, "/", nil)); response.StatusCode != failure[front] {
			t.Errorf("%s, %s: %d", front, answer, response.StatusCode)
		}
	}
}

// A function that fails is a failure, except with the templates of others, where it is a 200.
// That is why a proxy integration is the way to do it.
func TestServeHTTP_functionFails(t *testing.T) {
	for front, want := range map[Front]int{
		HTTPAPI2: 500, HTTPAPI1: 500, FunctionURL: 502, RESTProxy: 502, RESTTemplates: 500, ALB: 502, ALBMulti: 502, RESTCustom: 200,
	} {
		g := &Gateway{Front: front, Function: function(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("failed") })}
		if response, body := send(t, g, httptest.NewRequest(http.MethodPost, "/", nil)); response.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", front, response.StatusCode, body, want)
		}
	}
}

// A failed change is a 200 with the templates of others.
func TestServeHTTP_customHidesFailures(t *testing.T) {
	const answer = `{"statusCode":503,"body":"not durable"}`
	for front, want := range map[Front]int{RESTCustom: 200, RESTTemplates: 503, RESTProxy: 503} {
		g := &Gateway{Front: front, Function: returns(answer)}
		if response, _ := send(t, g, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))); response.StatusCode != want {
			t.Errorf("%s: %d, want %d", front, response.StatusCode, want)
		}
	}
}

// Each front has its limits for bodies, and all of them that of Lambda for events.
func TestServeHTTP_tooLarge(t *testing.T) {
	const text, binary = "application/json", "application/x-ndjson"
	for _, tt := range []struct {
		fronts    []Front
		mediaType string
		size      int
		want      int
	}{
		{[]Front{ALB, ALBMulti}, text, 1 << 20, 200},
		{[]Front{ALB, ALBMulti}, text, 1<<20 + 1, 413},
		{[]Front{ALB, ALBMulti}, binary, 1 << 20, 200}, // Base64 does not count
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL}, binary, 4_710_000, 200},
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL}, binary, 4_720_000, 413}, // in Base64, over 6 MiB
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL, RESTProxy}, text, 6_280_000, 200},
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL, RESTProxy, RESTTemplates}, text, 6 << 20, 413},
		{[]Front{HTTPAPI1, HTTPAPI2, FunctionURL, RESTProxy, RESTTemplates, RESTCustom}, text, 10<<20 + 1, 413},
	} {
		body := `"` + strings.Repeat("x", tt.size-2) + `"`
		for _, front := range tt.fronts {
			g := &Gateway{Front: front, Function: returns(`{"statusCode":200}`)}
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", tt.mediaType)
			if response, _ := send(t, g, r); response.StatusCode != tt.want {
				t.Errorf("%s, %d bytes of %s: %d, want %d", front, tt.size, tt.mediaType, response.StatusCode, tt.want)
			}
		}
	}
}

// Answers and headers have limits too.
func TestServeHTTP_otherLimits(t *testing.T) {
	for front, limit := range map[Front]int{ALB: 1 << 20, ALBMulti: 1 << 20, HTTPAPI2: 6 << 20, HTTPAPI1: 6 << 20, FunctionURL: 6 << 20, RESTProxy: 6 << 20} {
		for _, excess := range []int{0, 1} {
			const rest = len(`{"statusCode":200,"body":""}`)
			g := &Gateway{Front: front, Function: returns(`{"statusCode":200,"body":"` + strings.Repeat("x", limit-rest+excess) + `"}`)}
			if response, _ := send(t, g, httptest.NewRequest(http.MethodPost, "/", nil)); (response.StatusCode == http.StatusOK) != (excess == 0) {
				t.Errorf("%s, answer of %d bytes: %d", front, limit+excess, response.StatusCode)
			}
		}
	}
	for front, want := range map[Front]int{HTTPAPI2: 431, HTTPAPI1: 431, RESTProxy: 431, ALB: 200, FunctionURL: 200} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("A", strings.Repeat("x", 10_240))
		if response, _ := send(t, &Gateway{Front: front, Function: returns(`{"statusCode":200}`)}, r); response.StatusCode != want {
			t.Errorf("%s, large header: %d, want %d", front, response.StatusCode, want)
		}
	}
}

// An API gives a function half a minute, and the invocation goes on when the client has gone.
func TestServeHTTP_context(t *testing.T) {
	for front, want := range map[Front]time.Duration{HTTPAPI1: 30 * time.Second, HTTPAPI2: 30 * time.Second, RESTProxy: 29 * time.Second, ALB: 0} {
		synctest.Test(t, func(t *testing.T) {
			g := &Gateway{Front: front, Function: function(func(ctx context.Context, _ []byte) ([]byte, error) {
				var left time.Duration
				if deadline, ok := ctx.Deadline(); ok {
					left = time.Until(deadline)
				}
				if left != want || ctx.Err() != nil {
					t.Errorf("%s: %s left, error %v, want %s", front, left, ctx.Err(), want)
				}
				return []byte(`{"statusCode":200}`), nil
			})}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			send(t, g, httptest.NewRequestWithContext(gone, http.MethodPost, "/", nil))
		})
	}
}

// A body that does not arrive is not given to the function.
func TestServeHTTP_brokenBody(t *testing.T) {
	g := &Gateway{Function: function(func(context.Context, []byte) ([]byte, error) {
		t.Error("invoked")
		return nil, nil
	})}
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), failingReader{}))
	if response, _ := send(t, g, r); response.StatusCode != http.StatusBadRequest {
		t.Error(response.Status)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
