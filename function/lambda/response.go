package lambda

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// response is an [http.ResponseWriter] that keeps the response in memory.
type response struct {
	header  http.Header
	status  int         // 0 until the header is written
	written http.Header // the header as it was then
	body    bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter]. Informational responses are dropped.
func (r *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("lambda: invalid status " + strconv.Itoa(status))
	}
	if r.status == 0 && status >= http.StatusOK {
		r.status, r.written = status, r.header.Clone()
	}
}

// Write implements [http.ResponseWriter].
func (r *response) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// perConnection are the headers that concern a connection, or the length of a body, which
// belong to the front.
var perConnection = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Content-Length": true,
}

// encode returns the answer in JSON that the front turns into an HTTP response. The answer to
// a request with this method may have no body. An unknown front gets all that one of them
// needs.
func (r *response) encode(f front, method string) []byte {
	r.WriteHeader(http.StatusOK)
	status := strconv.Itoa(r.status)
	b := append([]byte(`{"statusCode":`), status...)
	if f == alb || f == albMulti || f == unknownFront {
		text := http.StatusText(r.status)
		if text == "" {
			text = "Status"
		}
		b = appendString(append(b, `,"statusDescription":`...), status+" "+text)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(r.written)), func(name string) bool { return perConnection[name] })
	if f.headerStrings() {
		b = r.appendStrings(append(b, `,"headers":{`...), f, names)
	}
	if f.headerLists() {
		b = r.appendLists(append(b, `,"multiValueHeaders":{`...), names)
	}
	body := r.body.Bytes()
	if method == http.MethodHead || r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		body = nil
	}
	b = append(b, `,"body":`...)
	if utf8.Valid(body) {
		return append(appendString(b, string(body)), `,"isBase64Encoded":false}`...)
	}
	b = base64.StdEncoding.AppendEncode(append(b, '"'), body)
	return append(b, `","isBase64Encoded":true}`...)
}

// appendStrings appends the rest of an object with one string per header. A header with
// several values has them joined, or is missing if lists have it too: a REST API would add
// the joined ones to those.
func (r *response) appendStrings(b []byte, f front, names []string) []byte {
	start := len(b)
	for _, name := range names {
		values := r.written[name]
		if len(values) == 0 || len(values) > 1 && f.headerLists() {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendString(b, oneLine(strings.Join(values, ", ")))
	}
	return append(b, '}')
}

// appendLists appends the rest of an object with an array of strings per header.
func (r *response) appendLists(b []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':', '[')
		for j, value := range r.written[name] {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(b, oneLine(value))
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// oneLine replaces line breaks, as net/http does in headers.
func oneLine(value string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(value) }

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // the error says that there were such bytes
	return b
}
