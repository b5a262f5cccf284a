package kinesis

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

// respond has a putProtocol read a response to a call with as many records as there are results.
func respond(text string, results []ordered.Result) error {
	p := putProtocol{results: results}
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text))}}
	return p.DeserializeResponse(context.Background(), nil, nil, response, nil)
}

func TestPutProtocol_results(t *testing.T) {
	results := make([]ordered.Result, 3)
	if err := respond(`{"EncryptionType":"KMS","FailedRecordCount":1,"Records":[
		{"SequenceNumber":"1","ShardId":"shardId-000000000000","ErrorCode":null},
		{"ErrorCode":"InternalFailure","ErrorMessage":"oh","SequenceNumber":"0"},
		{"ShardId":"shardId-000000000001","SequenceNumber":"2"}],"More":[{"Records":[]}]}`, results); err != nil {
		t.Fatal(err)
	}
	if results[0].Status != ordered.Taken || results[1].Status != ordered.Failed || results[2].Status != ordered.Taken || !strings.Contains(results[1].Err.Error(), "InternalFailure: oh") {
		t.Errorf("%+v", results)
	}
}

// A response that does not say of each record what became of it says nothing.
func TestPutProtocol_responsesThatSayNothing(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                   ``,
		"no results":              `{}`,
		"null":                    `{"Records":null}`,
		"one result":              `{"Records":[{"SequenceNumber":"1"}]}`,
		"three results":           `{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"},{"SequenceNumber":"3"}]}`,
		"neither number nor code": `{"Records":[{"SequenceNumber":"1"},{"ShardId":"shardId-000000000001"}]}`,
		"a number that is null":   `{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":null}]}`,
		"cut":                     `{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}`,
		"cut at the end":          `{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]`,
		"not JSON":                `<html>`,
		"an array":                `[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]`,
		"results in an object":    `{"Records":{"SequenceNumber":"1"}}`,
	} {
		if err := respond(text, make([]ordered.Result, 2)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzPutProtocol compares with encoding/json: a record counts as taken if, and only if, it has a
// number and no code.
func FuzzPutProtocol(f *testing.F) {
	f.Add(`{"Records":[{"SequenceNumber":"1","ShardId":"s"},{"ErrorCode":"InternalFailure","ErrorMessage":"oh"}]}`)
	f.Add(`{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"ErrorCode":"","SequenceNumber":"2"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !jsontext.Value(text).IsValid() || strings.Contains(text, `\`) {
			return // the two read duplicate and escaped names in different ways
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Skip("not an object")
		}
		records, _ := want["Records"].([]any)
		results := make([]ordered.Result, 2)
		err := respond(text, results)
		if err == nil && len(records) != len(results) {
			t.Fatalf("%q: read with %d records", text, len(records))
		}
		for i := range records {
			r, _ := records[i].(map[string]any)
			_, number := r["SequenceNumber"].(string)
			code := r["ErrorCode"]
			if taken := number && (code == nil || code == ""); err == nil && taken != (results[i].Status == ordered.Taken) {
				t.Errorf("%q: record %d is taken: %t, and its result %+v", text, i, taken, results[i])
			}
		}
	})
}

// The body is its parts, read in pieces of any size, again from the beginning too, and is JSON.
func TestBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		datas := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 20).Draw(t, "records")
		var records []record
		for _, data := range datas {
			text := appendRecord(nil, data, []byte("7"))
			if len(text) != recordSize(data, []byte("7")) {
				t.Errorf("%d bytes, want %d", len(text), recordSize(data, []byte("7")))
			}
			records = append(records, record{json: text})
		}
		b := newBody("arn:aws:kinesis:eu-west-1:123456789012:stream/changes", records)
		size := b.Len()
		for _, r := range []io.Reader{b, iotest.OneByteReader(b), iotest.HalfReader(b)} {
			if at, err := b.Seek(0, io.SeekStart); at != 0 || err != nil || b.Len() != size {
				t.Fatalf("sought %d, %v, with %d bytes left", at, err, b.Len())
			}
			text, err := io.ReadAll(r)
			if at, _ := b.Seek(0, io.SeekCurrent); err != nil || len(text) != size || at != int64(size) || b.Len() != 0 {
				t.Fatalf("read %d bytes of %d, at %d, %v", len(text), size, at, err)
			}
			var call struct {
				StreamARN string
				Records   []struct {
					Data         []byte
					PartitionKey string
				}
			}
			if err := json.Unmarshal(text, &call); err != nil || call.StreamARN != "arn:aws:kinesis:eu-west-1:123456789012:stream/changes" || len(call.Records) != len(datas) {
				t.Fatalf("%s: %v", text, err)
			}
			for i, r := range call.Records {
				if string(r.Data) != string(datas[i]) || r.PartitionKey != "7" {
					t.Errorf("record %d: %q with key %s", i, r.Data, r.PartitionKey)
				}
			}
		}
	})
}

func TestBody_seekElsewhere(t *testing.T) {
	b := newBody("arn", []record{{json: []byte(",{}")}})
	for _, whence := range []int{io.SeekStart, io.SeekCurrent, io.SeekEnd} {
		if _, err := b.Seek(1, whence); err == nil {
			t.Errorf("no error from %d", whence)
		}
	}
}
