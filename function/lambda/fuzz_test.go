package lambda

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzInvoke holds the adapter against encoding/json: a request reaches the handler only if
// the event is JSON, and with the body that encoding/json reads.
func FuzzInvoke(f *testing.F) {
	eachGolden(f, func(_ string, g golden) { f.Add(g.section("event.json")) })
	for _, e := range []string{"", "{}", eventWith(`,"body":"\u00e9\ud83d\ude00\\"`), eventWith(`,"body":"e30=","isBase64Encoded":true`), `{"aerosink":1,"body":[{}]}`} {
		f.Add([]byte(e))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		reached := false
		h := New(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			reached = true
			got, err := io.ReadAll(r.Body)
			if err != nil || int64(len(got)) != r.ContentLength {
				t.Errorf("%d bytes of body, want %d; %v", len(got), r.ContentLength, err)
			}
			var envelope struct {
				Body            json.RawMessage `json:"body"`
				IsBase64Encoded bool            `json:"isBase64Encoded"`
			}
			if err := json.Unmarshal(event, &envelope); err != nil {
				t.Errorf("a request of an event that is not JSON: %v", err)
			}
			want := []byte(envelope.Body)
			if string(want) == "null" {
				want = nil
			}
			if len(want) > 0 && want[0] == '"' {
				var text string
				var decoded []byte
				if envelope.IsBase64Encoded {
					err = json.Unmarshal(want, &decoded)
				} else if err = json.Unmarshal(want, &text); err == nil {
					decoded = []byte(text)
				}
				if want = decoded; err != nil {
					t.Error(err)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("body %q, want %q", got, want)
			}
		}), Options{})
		text, err := h.Invoke(t.Context(), event)
		if err != nil {
			return
		}
		var a answered
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reached && a.StatusCode < http.StatusBadRequest {
			t.Errorf("status %d without a request", a.StatusCode)
		}
	})
}

// A string comes out of the scan as encoding/json reads it, wherever it is cut into words of
// eight bytes.
func TestUnescape(t *testing.T) {
	parts := rapid.SampledFrom([]string{"a", "bcdefghi", `"`, `\`, "/", "\n", "\r\t\b\f", "\x00", "\x1f", "\x7f", "é", "世", "😀", "\uFFFD", "\u2028", "<", strings.Repeat("x", 70)})
	rapid.Check(t, func(t *rapid.T) {
		want := strings.Join(rapid.SliceOfN(parts, 0, 40).Draw(t, "parts"), "")
		quoted, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		behind := rapid.SampledFrom([]string{"", "}", `,"isBase64Encoded":false}`}).Draw(t, "behind")
		dirty := []byte(strings.Repeat("?", rapid.IntRange(0, 20).Draw(t, "before")))
		got, n, err := unescape(dirty[:0], append(quoted[1:len(quoted):len(quoted)], behind...))
		if err != nil || n != len(quoted)-1 || string(got) != want {
			t.Fatalf("%q, %d bytes, %v; want %q, %d bytes", got, n, err, want, len(quoted)-1)
		}
		for end := range quoted[1:] { // without its closing quote
			if _, _, err := unescape(nil, quoted[1:1+end]); err == nil {
				t.Fatalf("%q is taken for whole", quoted[:1+end])
			}
		}
	})
}
