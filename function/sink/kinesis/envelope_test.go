package kinesis

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// What goes into an envelope comes out of it: every attribute, and the bytes of the data.
func TestAppendEnvelope_holdsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{}.Change(t)
		c.Namespace = string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "namespace"))
		attributes := payload.AppendAttributes(nil, &c, "json")
		data := rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.Map(rapid.SampledFrom([]string{`{"a":1,"a":2}`, ` [1, 2.50]`, "{\"a\":\n\"\\u0001é\"}\n", `1e400`, `null`, `"x"`, `{} {}`, ``, "{\"a\":\"\xff\"}"}), func(s string) []byte { return []byte(s) }),
		).Draw(t, "data")
		text := appendEnvelope([]byte("kept"), attributes, data)[4:]
		var got map[string]json.RawMessage
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, a := range attributes {
			var value string
			switch raw := got[a.Name]; {
			case !utf8.ValidString(a.Value):
				if raw != nil {
					t.Errorf("%s is %s, want nothing", a.Name, raw)
				}
				continue
			case a.Number:
				value = string(raw)
			default:
				if err := json.Unmarshal(raw, &value); err != nil {
					t.Errorf("%s: %v", a.Name, err)
				}
			}
			if value != a.Value {
				t.Errorf("%s is %q, want %q", a.Name, value, a.Value)
			}
			delete(got, a.Name)
		}
		if raw, ok := got["data"]; ok {
			if !bytes.Equal(raw, bytes.TrimSpace(data)) {
				t.Errorf("data is %q, want %q", raw, data)
			}
			delete(got, "data")
		} else {
			var decoded []byte
			if err := json.Unmarshal(got["data_base64"], &decoded); err != nil || !bytes.Equal(decoded, data) {
				t.Errorf("data_base64 is %q, want %q", decoded, data)
			}
			delete(got, "data_base64")
		}
		if len(got) != 0 {
			t.Errorf("more than the attributes: %v", got)
		}
	})
}

func TestAppendEnvelope(t *testing.T) {
	attributes := []payload.Attribute{{Name: "lut", Value: strconv.FormatInt(1<<41, 10), Number: true}, {Name: "empty"}, {Name: "set", Value: "a\"b\u2028"}}
	for data, want := range map[string]string{
		`1`:              `"data":1`,
		` {"a":1,"a":2}`: `"data":{"a":1,"a":2}`, // as it came, even so
		`{"a":1} {}`:     `"data_base64":"eyJhIjoxfSB7fQ=="`,
		``:               `"data_base64":""`,
	} {
		if got := string(appendEnvelope(nil, attributes, []byte(data))); got != "{\"lut\":2199023255552,\"set\":\"a\\\"b\u2028\","+want+"}" {
			t.Errorf("%q: %s", data, got)
		}
	}
}
