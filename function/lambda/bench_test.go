package lambda

import (
	"bytes"
	"encoding/base64"
	encoding "encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format/json"
)

// benchChanges is the number of changes in an event of the benchmarks. Each has about 1 KB.
const benchChanges = 500

// benchEvent returns an event of a REST API with changes in JSON, as the connector and ESP
// write them.
func benchEvent(tb testing.TB, asBase64 bool) (event []byte, body string) {
	tb.Helper()
	var records []byte
	for i := range benchChanges {
		c := change.Change{
			Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 4), byte(i >> 8)}, Key: change.IntegerValue(int64(i)),
			Generation: 7, LUT: changetest.Receipt.UnixMilli(),
		}
		for j := range 12 {
			c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprintf("bin%d", j), Value: change.StringValue(fmt.Appendf(nil, "the text in the bin of the number %d", j))})
		}
		var err error
		if records, err = (json.Format{}).Append(records, &c); err != nil {
			tb.Fatal(err)
		}
	}
	sealed, _ := json.Format{}.Seal(records, benchChanges)
	body = string(sealed)
	sent := body
	if asBase64 {
		sent = base64.StdEncoding.EncodeToString([]byte(body))
	}
	headers := map[string]string{
		"Accept-Encoding": "gzip", "Authorization": "Bearer 0123456789abcdef", "CloudFront-Viewer-Country": "IE", "Content-Type": "application/x-ndjson",
		"Host": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "User-Agent": "aerosink-connector/1.0", "Via": "2.0 0123.cloudfront.net (CloudFront)",
		"X-Amz-Cf-Id": "0123456789abcdef", "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678", "X-Forwarded-For": "192.0.2.1, 198.51.100.7",
		"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	}
	lists := map[string][]string{}
	for name, value := range headers {
		lists[name] = []string{value}
	}
	event, err := encoding.Marshal(map[string]any{
		"resource": "/", "path": "/", "httpMethod": "POST", "headers": headers, "multiValueHeaders": lists, "queryStringParameters": nil,
		"multiValueQueryStringParameters": nil, "pathParameters": nil, "stageVariables": nil,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "httpMethod": "POST",
			"identity": map[string]any{"accessKey": nil, "sourceIp": "192.0.2.1", "userAgent": ""}, "path": "/prod/", "protocol": "HTTP/1.1",
			"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "resourceId": "abc", "resourcePath": "/", "stage": "prod",
		},
		"body": sent, "isBase64Encoded": asBase64,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return event, body
}

// BenchmarkInvoke measures what the adapter adds to a request of 500 changes of 1 KB.
func BenchmarkInvoke(b *testing.B) {
	for _, kind := range []string{"Base64", "text"} {
		b.Run(kind, func(b *testing.B) {
			event, body := benchEvent(b, kind == "Base64")
			h := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength != int64(len(body)) {
					b.Fatalf("%d bytes, want %d", r.ContentLength, len(body))
				}
			}), Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if answer, err := h.Invoke(b.Context(), event); err != nil || !bytes.HasPrefix(answer, []byte(`{"statusCode":200`)) {
					b.Fatalf("%s, %v", answer, err)
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(b.N * benchChanges)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/change")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/change")
		})
	}
}

// The adapter allocates for the headers of an event, not for its changes.
func TestInvoke_allocations(t *testing.T) {
	const most = benchChanges / 5 // 0.2 a change
	if changetest.Raced {
		t.Skip("the race detector empties pools")
	}
	for _, asBase64 := range []bool{true, false} {
		event, _ := benchEvent(t, asBase64)
		h := New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Options{})
		if n := testing.AllocsPerRun(20, func() { _, _ = h.Invoke(t.Context(), event) }); n > most {
			t.Errorf("Base64 %t: %v allocations for %d changes, want %d at most", asBase64, n, benchChanges, most)
		}
	}
}
