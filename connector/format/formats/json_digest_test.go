package formats_test

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/xdr"
)

// With Options.Digest, a change in JSON may lack its digest.
func TestJSON_digestComputed(t *testing.T) {
	const given = `"4cggTFyCxaDjqb2pso88/imO2Sg="`
	record, _ := xdr.Digest("s", change.IntegerValue(777))
	setless, _ := xdr.Digest("", change.StringValue([]byte("k")))
	for _, tt := range []struct {
		name, body string
		want       string // the digest
		err        string
	}{
		{"JSON", `{"msg":"write","key":["n","s",null,777]}`, record.String(), ""},
		{"JSON without set", `{"msg":"delete","key":["n",null,null,"k"]}`, setless.String(), ""},
		{"JSON with its digest", `{"msg":"write","key":["n","s",` + given + `,777]}`, strings.Trim(given, `"`), ""},
		{"JSON with a digest that is not one", `{"msg":"write","key":["n","s","",777]}`, "", "byte 30: the digest is not 20 bytes"},
		{"JSON without user key", `{"msg":"write","key":["n","s",null,null]}`, "", "byte 35: neither a digest nor a user key that"},
		{"JSON with a user key beyond 64 bits", `{"msg":"write","key":["n","s",null,9223372036854775808]}`, "", "byte 35: neither a digest nor a user key that"},
		{"flat JSON", `{"metadata":{"msg":"write","namespace":"n","userKey":777,"set":"s"}}`, record.String(), ""},
		{"flat JSON, null", `{"metadata":{"msg":"write","namespace":"n","digest":null,"userKey":777,"set":"s"}}`, record.String(), ""},
		{"flat JSON with its digest", `{"metadata":{"msg":"write","namespace":"n","userKey":777,"set":"s","digest":` + given + `}}`, strings.Trim(given, `"`), ""},
		{"flat JSON without user key", `{"metadata":{"msg":"write","namespace":"n"}}`, "", "byte 12: neither a digest nor a user key that"},
		{"flat JSON without namespace", `{"metadata":{"msg":"write","userKey":1}}`, "", `the metadata needs "namespace"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := json.Parse([]byte(tt.body), format.Options{MetadataKey: "metadata", Digest: xdr.Digest})
			if err != nil || len(parsed) != 1 {
				t.Fatalf("%d changes, error %v", len(parsed), err)
			}
			got := parsed[0]
			if tt.err == "" && (got.Err != nil || got.Change.Digest.String() != tt.want) || tt.err != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), tt.err)) {
				t.Errorf("digest %s, error %v; want %s, %q", got.Change.Digest, got.Err, tt.want, tt.err)
			}
			without, err := json.Parse([]byte(tt.body), format.Options{MetadataKey: "metadata"})
			if err != nil || len(without) != 1 {
				t.Fatalf("%d changes, error %v", len(without), err)
			}
			if hasOne := strings.Contains(tt.body, given); hasOne != (without[0].Err == nil) {
				t.Errorf("without Options.Digest: error %v", without[0].Err)
			}
		})
	}
}
