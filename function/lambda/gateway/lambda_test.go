package gateway_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/lambda"
	"github.com/aerosink/aerosink/function/lambda/gateway"
)

var fronts = rapid.SampledFrom([]gateway.Front{
	gateway.HTTPAPI2, gateway.HTTPAPI1, gateway.RESTProxy, gateway.RESTTemplates, gateway.ALB, gateway.ALBMulti, gateway.FunctionURL,
})

// drawGateway returns a gateway whose function answers with handler. A REST API passes all
// bodies as Base64.
func drawGateway(t *rapid.T, handler http.Handler) *gateway.Gateway {
	front := fronts.Draw(t, "front")
	g := &gateway.Gateway{Front: front, Function: lambda.New(handler, lambda.Options{}), BinaryMediaTypes: []string{"*/*"}}
	if front != gateway.ALB && front != gateway.ALBMulti && front != gateway.FunctionURL {
		g.Stage = rapid.SampledFrom([]string{"", "prod", "$default"}).Draw(t, "stage")
	}
	return g
}

// drawHeader returns headers with names in canonical form, and none that fronts or connections
// use.
func drawHeader(t *rapid.T, mediaTypes ...string) http.Header {
	header := http.Header{}
	names := rapid.StringMatching(`X(-[A-Z][a-z0-9]{0,3}){1,2}`)
	values := rapid.StringMatching("[!-~é]([ -~é]{0,20}[!-~é])?")
	for range rapid.IntRange(0, 5).Draw(t, "headers") {
		header.Add(names.Draw(t, "name"), values.Draw(t, "value"))
	}
	if mediaType := rapid.SampledFrom(mediaTypes).Draw(t, "mediaType"); mediaType != "" {
		header.Set("Content-Type", mediaType)
	}
	return header
}

// Every request reaches the handler as it was sent, through the events of every front. Fronts
// that join repeated headers, or drop all but the last, do so.
func TestGateway_requestProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got *http.Request
		var gotBody []byte
		g := drawGateway(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = r
			gotBody, _ = io.ReadAll(r.Body)
		}))
		header := drawHeader(t, "", "application/json", "text/plain", "application/x-ndjson", "application/vnd.aerosink.xdr", "application/avro; a=b")
		var body []byte
		switch mediaType := header.Get("Content-Type"); mediaType {
		case "application/json", "text/plain": // must be text, which fronts pass as such
			body = []byte(rapid.String().Draw(t, "text"))
		case "":
			body = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
			if len(body) > 0 && g.Front == gateway.RESTTemplates {
				header.Set("Content-Type", "application/octet-stream") // or there is nothing to parse
			}
		default:
			body = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		}
		if bytes.ContainsRune(body, utf8.RuneError) && utf8.Valid(body) {
			t.Skip("text with U+FFFD looks as if bytes were lost")
		}
		target := "/" + rapid.StringMatching(`([a-z.~]|%2F|%20|%C3%A9|/[a-z]){0,8}`).Draw(t, "path")
		if query := rapid.StringMatching(`([a-c]=([a-z0-9]|%20|%26|%C3%A9){0,4}(&[d-f]=[0-9]{1,3})?)?`).Draw(t, "query"); query != "" {
			target += "?" + query
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{
			Method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"}).Draw(t, "method"),
			URL:    u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "changes.example.com", RemoteAddr: "192.0.2.1:99", Header: header.Clone(),
			Body: io.NopCloser(bytes.NewReader(body)),
		}
		w := httptest.NewRecorder()
		if g.ServeHTTP(w, r); got == nil {
			t.Fatalf("%s: %d %s", g.Front, w.Code, w.Body)
		}
		if got.Method != r.Method || got.Host != r.Host || !strings.Contains(got.RemoteAddr+got.Header.Get("X-Forwarded-For"), "192.0.2.1") {
			t.Errorf("%s: %s %s from %s", g.Front, got.Method, got.Host, got.RemoteAddr)
		}
		if got.URL.Path != u.Path {
			t.Errorf("%s: path %q, want %q", g.Front, got.URL.Path, u.Path)
		}
		if diff := cmp.Diff(u.Query(), got.URL.Query()); diff != "" && g.Front != gateway.RESTTemplates {
			t.Errorf("%s: query (-want +got)\n%s", g.Front, diff)
		}
		if !bytes.Equal(gotBody, body) || got.ContentLength != int64(len(body)) {
			t.Errorf("%s: body %q of length %d, want %q", g.Front, gotBody, got.ContentLength, body)
		}
		for name, values := range header {
			if diff := cmp.Diff(passed(g.Front, values), got.Header[name]); diff != "" {
				t.Errorf("%s: header %s (-want +got)\n%s", g.Front, name, diff)
			}
		}
	})
}

// passed returns the values of a header that a front passes.
func passed(f gateway.Front, values []string) []string {
	switch f {
	case gateway.HTTPAPI2, gateway.FunctionURL:
		return []string{strings.Join(values, ",")}
	case gateway.ALB, gateway.RESTTemplates:
		return values[len(values)-1:]
	}
	return values
}

// Every response reaches the client as the handler wrote it, through the answers of every
// front.
func TestGateway_responseProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		header := drawHeader(t, "", "application/vnd.aerosink.report+json", "text/plain; charset=utf-8", "application/octet-stream")
		status := rapid.SampledFrom([]int{200, 202, 400, 401, 404, 413, 415, 429, 500, 503, 599}).Draw(t, "status")
		var body []byte
		if rapid.Bool().Draw(t, "binary") {
			body = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		} else {
			body = []byte(rapid.String().Draw(t, "text"))
		}
		g := drawGateway(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		if g.Front == gateway.RESTTemplates && !utf8.Valid(body) {
			t.Skip("our templates do not decode Base64")
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
		if w.Code != status || !bytes.Equal(w.Body.Bytes(), body) {
			t.Errorf("%s: %d %q, want %d %q", g.Front, w.Code, w.Body, status, body)
		}
		if g.Front == gateway.RESTTemplates {
			return // which has no headers
		}
		for name, values := range header {
			want := values
			if g.Front == gateway.HTTPAPI2 || g.Front == gateway.FunctionURL || g.Front == gateway.ALB {
				want = []string{strings.Join(values, ", ")}
			}
			if got := w.Header()[name]; !slices.Equal(got, want) {
				t.Errorf("%s: header %s is %q, want %q", g.Front, name, got, want)
			}
		}
	})
}

// A REST API that takes a binary body for text has destroyed it. The handler never sees it, and
// the sender is asked to try again, so that nothing is lost and nothing becomes a dead letter.
func TestGateway_brokenBodies(t *testing.T) {
	for name, r := range map[string]struct{ mediaType, coding, body string }{
		"XDR":          {"application/vnd.aerosink.xdr", "", "\x00\xff"},
		"MessagePack":  {"application/x-msgpack", "", "\x80"},
		"Avro":         {"application/avro", "", "Obj\x01\xfe"},
		"octet stream": {"application/octet-stream", "", "looks like text"},
		"gzip":         {"application/json", "gzip", "\x1f\x8b\x08"},
	} {
		g := &gateway.Gateway{Front: gateway.RESTProxy, Function: lambda.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: the handler got it", name)
		}), lambda.Options{})}
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(r.body))
		req.Header.Set("Content-Type", r.mediaType)
		if r.coding != "" {
			req.Header.Set("Content-Encoding", r.coding)
		}
		w := httptest.NewRecorder()
		if g.ServeHTTP(w, req); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "binaryMediaTypes") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		g.BinaryMediaTypes = []string{"*/*"}
		got := ""
		g.Function = lambda.New(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = string(body)
		}), lambda.Options{})
		req.Body = io.NopCloser(strings.NewReader(r.body))
		if g.ServeHTTP(httptest.NewRecorder(), req); got != r.body {
			t.Errorf("%s with binaryMediaTypes: %q", name, got)
		}
	}
}

// A change that is not stored is lost with the usual templates of a REST API without proxy: the
// sender gets a 200. With ours it gets the status of the function.
func TestGateway_customLosesChanges(t *testing.T) {
	for front, want := range map[gateway.Front]int{gateway.RESTCustom: http.StatusOK, gateway.RESTTemplates: http.StatusServiceUnavailable} {
		got := ""
		g := &gateway.Gateway{Front: front, Function: lambda.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = string(body)
			w.WriteHeader(http.StatusServiceUnavailable)
		}), lambda.Options{})}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"a":1}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if g.ServeHTTP(w, r); w.Code != want || got != `{"a":1}` {
			t.Errorf("%s: status %d, body %q, want %d", front, w.Code, got, want)
		}
	}
}

// Over a connection of HTTP/1.1 and one of HTTP/2.
func TestGateway_overTheNetwork(t *testing.T) {
	const body = "\x00binary\xff"
	for _, front := range []gateway.Front{gateway.HTTPAPI2, gateway.ALBMulti, gateway.RESTProxy} {
		handler := lambda.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil || string(b) != body || r.Header.Get("Content-Type") != "application/vnd.aerosink.xdr" {
				t.Errorf("%s: %q, %v, %v", front, b, r.Header, err)
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "é")
		}), lambda.Options{})
		server := httptest.NewUnstartedServer(&gateway.Gateway{Front: front, Function: handler, BinaryMediaTypes: []string{"*/*"}})
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		for _, http2 := range []bool{false, true} {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!http2)
			protocols.SetUnencryptedHTTP2(http2)
			client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
			response, err := client.Post(server.URL, "application/vnd.aerosink.xdr", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			if err != nil || string(got) != "é" || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "1" {
				t.Errorf("%s: %s %q %v, %v", front, response.Status, got, response.Header, err)
			}
			_ = response.Body.Close()
			client.CloseIdleConnections()
		}
		server.Close()
	}
}
