package formats_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// payload is one entry of testdata/payloads/index.json: a body as Aerospike's
// connector sends it.
type payload struct {
	File        string         `json:"file"`
	ContentType string         `json:"content_type"`
	Format      string         `json:"format"`
	Expect      map[string]any `json:"expect"`
}

func payloads(t testing.TB) []payload {
	t.Helper()
	index, err := os.ReadFile(changetest.Testdata(t, "payloads", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Payloads []payload }
	dec := json.NewDecoder(bytes.NewReader(index))
	dec.UseNumber()
	if err := dec.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Payloads
}

func (p payload) body(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(changetest.Testdata(t, "payloads", p.File))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(p.File) == ".hex" {
		if b, err = hex.DecodeString(strings.TrimSpace(string(b))); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// isValid reports whether the payload must parse without errors.
func (p payload) isValid() bool { return p.Expect["error"] == nil }

// parser returns a Parser that has the schema of the sample, if it needs one.
func (p payload) parser(t *testing.T) formats.Parser {
	name, ok := p.Expect["schema"].(string)
	if !ok {
		return all
	}
	return reading(newAvro(t, schema(t, name)))
}

func (p payload) isJSON() bool {
	return strings.HasPrefix(p.Format, "json") || strings.HasPrefix(p.Format, "flat-json")
}

func TestParser_payloads(t *testing.T) {
	ran := 0
	for _, p := range payloads(t) {
		if !p.isValid() {
			continue
		}
		ran++
		t.Run(p.File, func(t *testing.T) {
			parsed, err := p.parser(t).Parse(p.ContentType, p.body(t))
			if err != nil {
				t.Fatal(err)
			}
			if msgs, ok := p.Expect["msgs"].([]any); ok {
				var got []any
				for _, one := range parsed {
					got = append(got, one.Change.Op.String())
				}
				for i := range got { // the samples say delete of both kinds
					got[i] = strings.TrimPrefix(got[i].(string), "durable-")
				}
				if diff := cmp.Diff(msgs, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return
			}
			if len(parsed) != 1 || parsed[0].Err != nil {
				t.Fatalf("parsed %v", parsed)
			}
			p.check(t, parsed[0])
		})
	}
	if ran == 0 {
		t.Fatal("no payload")
	}
}

// check compares each expectation that it knows and fails for one it does not.
func (p payload) check(t *testing.T, parsed format.Parsed) {
	t.Helper()
	c := parsed.Change
	values := map[string]change.Value{}
	var names []any
	for _, b := range c.Bins {
		values[b.Name] = b.Value
		names = append(names, b.Name)
	}
	if names == nil {
		names = []any{}
	}
	got := map[string]any{
		"msg": strings.TrimPrefix(c.Op.String(), "durable-"), "namespace": c.Namespace, "set": orNil(c.Set != "", c.Set),
		"userKey": plain(c.Key), "digest_b64": c.Digest.String(), "gen": orNil(c.Generation != 0, number(int64(c.Generation))),
		"exp": orNil(c.Expiry != change.ExpiryUnknown, number(c.Expiry)), "lut": orNil(c.LUT != 0, number(c.LUT)), "durable": c.Op == change.DurableDelete,
		"bins": names, "n": plain(values["n"]), "max": plain(values["max"]), "a": plain(values["a"]),
		"sig_bytes_hex": binHex(values["sig"]), "userKey_is_base64_of_hex": unBase64(c.Key.Bytes()),
		"metadata_key": map[bool]string{true: "metadata"}[parsed.Format == "flat-json"],
	}
	if !strings.HasPrefix(p.Format, parsed.Format) {
		t.Errorf("taken for %s, want %s", parsed.Format, p.Format)
	}
	if parsed.Format == "message-pack" {
		got["version"], got["type"], got["flags"] = number(1), got["msg"], number(map[bool]int64{true: 1}[c.Op == change.DurableDelete])
		got["bins"] = packedBins(c.Bins)
	}
	if parsed.Format == "flat-json" { // a blob is a string there
		got["sig_bytes_hex"] = unBase64(values["sig"].Bytes())
	}
	if parsed.Format == "avro" {
		got["schema"], got["keys"] = p.Expect["schema"], append([]any{"metadata"}, names...)
		got["status"], got["total"], got["items"], got["count"] = plain(values["status"]), plain(values["total"]), plain(values["items"]), plain(values["count"])
	}
	for name, want := range p.Expect {
		have, known := got[name]
		if !known {
			t.Errorf("the test does not know how to check %q", name)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// packedBins returns the bins as the MessagePack samples show them.
func packedBins(bins []change.Bin) []any {
	var all []any
	for _, b := range bins {
		order := change.Unordered
		if b.Value.Kind().IsCollection() {
			order = b.Value.Order()
		}
		one := []any{b.Name, number(int64(b.Value.Kind())), number(int64(order))}
		if b.Name == "n" {
			one = append(one, plain(b.Value))
		}
		all = append(all, one)
	}
	return all
}

func orNil(known bool, x any) any {
	if known {
		return x
	}
	return nil
}

func number(i int64) json.Number { return json.Number(fmt.Sprint(i)) }

func plain(v change.Value) any {
	switch v.Kind() {
	case change.KindString:
		return string(v.Bytes())
	case change.KindInteger:
		return number(v.Integer())
	case change.KindDouble:
		return json.Number(fmt.Sprint(v.Double()))
	case change.KindList:
		var list []any
		for r := v.Elements(); len(list) < v.Len(); {
			list = append(list, plain(r.Next()))
		}
		return list
	}
	return nil
}

func binHex(v change.Value) string { return hex.EncodeToString(v.Bytes()) }

func unBase64(b []byte) string {
	decoded, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(decoded)
}
