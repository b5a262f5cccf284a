package kinesis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A record is the change, under the key of its partition.
func TestPut_records(t *testing.T) {
	for _, tt := range []struct {
		query string
		key   func(change.Digest) string
	}{
		{"", func(d change.Digest) string { return strconv.Itoa(d.Partition() % 256) }},
		{"?ordering=7", func(d change.Digest) string { return strconv.Itoa(d.Partition() % 7) }},
		{"?key=digest", change.Digest.String},
	} {
		cloud := awstest.Start(t)
		b := sinktest.Batch("orders", 300)
		if verdicts := open(t, awstest.StreamSink+tt.query, sink.Options{}).Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
		records := cloud.Kinesis.Records(awstest.Stream)
		if len(records) != len(b.Changes) {
			t.Fatalf("%q: %d records for %d changes", tt.query, len(records), len(b.Changes))
		}
		for i, r := range records {
			if p := b.Changes[i]; string(r.Data) != string(p.Data) || r.PartitionKey != tt.key(p.Change.Digest) {
				t.Errorf("%q: record %d: %s with key %s", tt.query, i, r.Data, r.PartitionKey)
			}
		}
	}
}

// Changes are re-encoded in the format that the URL names, by default in JSON, since a record
// has no attributes. A change that the format cannot express is refused for good, and no other.
func TestPut_reencodedData(t *testing.T) {
	c := change.Change{Namespace: "shop", Set: "orders", Digest: change.Digest{1}, Generation: 2, LUT: 1735689600123, Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(1)}}}
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01}) // its key is a list
	if err != nil {
		t.Fatal(err)
	}
	for query, name := range map[string]string{"": "json", "?data=flat-json": "flat-json", "?data=message-pack": "message-pack", "?data=xdr": "xdr"} {
		cloud := awstest.Start(t)
		spec := parse(t, awstest.StreamSink+query, sink.Options{MetadataKey: "metadata"})
		if !spec.Bins {
			t.Errorf("%q: Bins is false, want true", query)
		}
		b := sink.Batch{Changes: []format.Parsed{{Change: c, Data: []byte("as it came"), Format: "other"}, {Change: c, Data: []byte("as it came"), Format: "other"}}}
		b.Changes[0].Change.Bins = []change.Bin{{Name: "i", Value: list}}
		if got := outcome(b, sinktest.Open(t, spec).Put(t.Context(), b)); strings.Contains(name, "json") && got != "x+" {
			t.Errorf("%q: %s, want the first refused", query, got)
		}
		records := cloud.Kinesis.Records(awstest.Stream)
		parsed, err := formats.Parser{MetadataKey: "metadata", Bins: true}.Parse(formats.MediaTypeOf(name), records[len(records)-1].Data)
		if err != nil || len(parsed) != 1 || parsed[0].Err != nil || parsed[0].Change.Digest != c.Digest {
			t.Errorf("%q: %q is read as %+v, %v", query, records[0].Data, parsed, err)
		}
	}
	if parse(t, awstest.StreamSink+"?data=as-received", sink.Options{}).Bins {
		t.Error("data=as-received: Bins is true, want false")
	}
}

// A packed record has all changes of a Put with the same key.
func TestPut_packed(t *testing.T) {
	cloud := awstest.Start(t)
	b := sinktest.Batch("orders", 6)
	if verdicts := open(t, awstest.StreamSink+"?mode=packed&compression=none&ordering=2", sink.Options{}).Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts)
	}
	got := map[string]string{}
	for _, r := range cloud.Kinesis.Records(awstest.Stream) {
		got[r.PartitionKey] = string(r.Data)
	}
	if len(got) != 2 || got["0"] != "{\"i\":0}\n{\"i\":2}\n{\"i\":4}\n" || got["1"] != "{\"i\":1}\n{\"i\":3}\n{\"i\":5}\n" {
		t.Errorf("%q", got)
	}
}

// A packed record that is larger than the stream allows is halved. A change that is too large
// alone, or that JSON cannot express, is refused for good, and no other.
func TestPut_packedRecordTooLarge(t *testing.T) {
	cloud := awstest.Start(t)
	b := sinktest.Batch("s", 6)
	for i := range b.Changes {
		b.Changes[i].Data = []byte(`"` + strings.Repeat("x", 300_000) + `"`)
	}
	b.Changes[2].Data = []byte(`"` + strings.Repeat("x", 1_100_000) + `"`)
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01})
	if err != nil {
		t.Fatal(err)
	}
	b.Changes[4] = format.Parsed{Change: change.Change{Namespace: "shop", Bins: []change.Bin{{Name: "b", Value: list}}}, Format: "xdr"}
	if got := outcome(b, open(t, awstest.StreamSink+"?mode=packed&compression=none&ordering=1", sink.Options{}).Put(t.Context(), b)); got != "++x+x+" {
		t.Errorf("%s, want the third and the fifth refused", got)
	}
	lines := 0
	for _, r := range cloud.Kinesis.Records(awstest.Stream) {
		lines += bytes.Count(r.Data, []byte("\n"))
	}
	if lines != 4 {
		t.Errorf("%d lines, want 4", lines)
	}
}

// The changes of a packed record that fails, and no others, are to be retried, and so are those
// of one that Kinesis refuses, since not all of them need be wrong.
func TestPut_packedRecordFails(t *testing.T) {
	list, err := change.MapValue([]byte{0x81, 0x90, 0x01}) // JSON cannot express it
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"AccessDeniedException", "InvalidArgumentException"} {
		cloud := awstest.Start(t)
		cloud.Kinesis.Fail(func(call *fake.KinesisCall) {
			for _, e := range call.Entries {
				if e.PartitionKey == "0" {
					call.Error = code
				}
			}
		})
		b := sinktest.Batch("s", 6)
		b.Changes[0] = format.Parsed{Change: change.Change{Namespace: "shop", Bins: []change.Bin{{Name: "b", Value: list}}}, Format: "xdr"}
		want := "x-----" // one call has both records
		if code == "InvalidArgumentException" {
			want = "x+-+-+" // it is halved
		}
		if got := outcome(b, open(t, awstest.StreamSink+"?mode=packed&ordering=2", sink.Options{}).Put(t.Context(), b)); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

// With envelope=json a record has the metadata that a message of Pub/Sub has as attributes.
func TestPut_envelope(t *testing.T) {
	cloud := awstest.Start(t)
	b := sinktest.Batch("orders", 2)
	b.Changes[1].Data, b.Changes[1].Format = []byte{0xff, 0}, "message-pack"
	b.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if verdicts := open(t, awstest.StreamSink+"?envelope=json&data=as-received", sink.Options{}).Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts)
	}
	records := cloud.Kinesis.Records(awstest.Stream)
	const trace = `,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`
	want := []string{
		`{"format":"json","namespace":"shop","set":"orders","op":"write","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","partition":0,"generation":1,"lut":1795350896789,"expiry":0` + trace + `,"data":{"i":0}}`,
		`{"format":"message-pack","namespace":"shop","set":"orders","op":"write","digest":"AQAAAAAAAAAAAAAAAAAAAAAAAAA=","partition":1,"generation":1,"lut":1795350896790,"expiry":0` + trace + `,"data_base64":"/wA="}`,
	}
	for i, r := range records {
		if string(r.Data) != want[i] {
			t.Errorf("record %d: %s, want %s", i, r.Data, want[i])
		}
	}
}

// The envelope of a packed record says what its changes share.
func TestPut_packedEnvelope(t *testing.T) {
	cloud := awstest.Start(t)
	if verdicts := open(t, awstest.StreamSink+"?envelope=json&mode=packed&ordering=1", sink.Options{}).Put(t.Context(), sinktest.Batch("orders", 3)); verdicts != nil {
		t.Fatal(verdicts)
	}
	var got struct {
		Format, Encoding, Namespace, Set string
		Changes                          int
		Data                             []byte `json:"data_base64"`
	}
	if err := json.Unmarshal(cloud.Kinesis.Records(awstest.Stream)[0].Data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "ndjson" || got.Encoding != "zstd" || got.Namespace != "shop" || got.Set != "orders" || got.Changes != 3 || len(got.Data) == 0 {
		t.Errorf("%+v", got)
	}
}

// calls counts the PutRecords that a fault has seen.
type calls struct {
	mu      sync.Mutex
	records []int // of each call
	bytes   []int // of each call, with keys
	others  []string
}

// fault returns a fault that counts, and then does what next says.
func (c *calls) fault(next func(*fake.KinesisCall)) func(*fake.KinesisCall) {
	return func(call *fake.KinesisCall) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if call.Operation != "PutRecords" {
			c.others = append(c.others, call.Operation)
		} else {
			size := 0
			for _, e := range call.Entries {
				size += len(e.Data) + len(e.PartitionKey)
			}
			c.records, c.bytes = append(c.records, len(call.Entries)), append(c.bytes, size)
		}
		if next != nil {
			next(call)
		}
	}
}

func TestPut_limitsOfCall(t *testing.T) {
	t.Run("records", func(t *testing.T) {
		cloud := awstest.Start(t)
		var c calls
		cloud.Kinesis.Fail(c.fault(nil))
		if verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), sinktest.Batch("s", 1200)); verdicts != nil {
			t.Fatal(verdicts)
		}
		slices.Sort(c.records)
		if want := []int{200, 500, 500}; !slices.Equal(c.records, want) || c.others != nil {
			t.Errorf("calls with %d records, want %d; others: %v", c.records, want, c.others)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		cloud := awstest.Start(t)
		var c calls
		cloud.Kinesis.Fail(c.fault(nil))
		if verdicts := open(t, awstest.StreamSink+"?data=as-received", sink.Options{}).Put(t.Context(), sized(25, 1<<20-3)); verdicts != nil {
			t.Fatal(verdicts)
		}
		slices.Sort(c.records)
		if want := []int{5, 10, 10}; !slices.Equal(c.records, want) || slices.Max(c.bytes) > 10<<20 {
			t.Errorf("calls with %d records and %d bytes, want %d", c.records, c.bytes, want)
		}
	})
}

// sized returns a batch of n changes of size bytes. Their keys have up to 3 bytes.
func sized(n, size int) sink.Batch {
	b := sinktest.Batch("s", n)
	for i := range b.Changes {
		b.Changes[i].Data = bytes.Repeat([]byte("x"), size)
	}
	return b
}

// The largest record that a stream takes is stored; one byte more is refused for good, and no
// other.
func TestPut_recordTooLarge(t *testing.T) {
	const mib = 1 << 20
	denied := func(call *fake.KinesisCall) {
		if call.Operation == "DescribeStreamSummary" {
			call.Error = "AccessDeniedException"
		}
	}
	for _, tt := range []struct {
		name     string
		settings fake.StreamSettings
		fault    func(*fake.KinesisCall)
		size     int // of the data; the key has one byte
		want     string
		asks     int
		calls    int
	}{
		{"1 MiB", fake.StreamSettings{}, nil, mib - 1, "+++", 0, 1},
		{"1 MiB and a byte", fake.StreamSettings{}, nil, mib, "+x+", 1, 1},
		{"2 MiB", fake.StreamSettings{MaxRecordSizeKiB: 2048}, nil, 2*mib - 1, "+++", 1, 1},
		{"2 MiB and a byte", fake.StreamSettings{MaxRecordSizeKiB: 2048}, nil, 2 * mib, "+x+", 1, 1},
		{"10 MiB", fake.StreamSettings{MaxRecordSizeKiB: 10240}, nil, 10*mib - 1, "+++", 1, 3},
		{"10 MiB and a byte", fake.StreamSettings{MaxRecordSizeKiB: 10240}, nil, 10 * mib, "+x+", 0, 1},
		{"2 MiB, asking denied", fake.StreamSettings{MaxRecordSizeKiB: 2048}, denied, 2*mib - 1, "+++", 1, 1},
		{"1 MiB and a byte, asking denied", fake.StreamSettings{}, denied, mib, "+x+", 1, 5}, // 3, 1, 2, 1, 1
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			if err := cloud.Kinesis.SetStream(awstest.Stream, tt.settings); err != nil {
				t.Fatal(err)
			}
			var c calls
			cloud.Kinesis.Fail(c.fault(tt.fault))
			b := sinktest.Batch("s", 3)
			b.Changes[1].Data = bytes.Repeat([]byte("x"), tt.size)
			verdicts := open(t, awstest.StreamSink+"?data=as-received", sink.Options{}).Put(t.Context(), b)
			if got := outcome(b, verdicts); got != tt.want || len(c.others) != tt.asks || len(c.records) != tt.calls {
				t.Errorf("%s, want %s; asked %d times, want %d; %d calls, want %d; %v", got, tt.want, len(c.others), tt.asks, len(c.records), tt.calls, verdicts)
			}
		})
	}
}

// once returns a fault that does something to the first PutRecords only.
func once(do func(*fake.KinesisCall)) func(*fake.KinesisCall) {
	done := false
	return func(call *fake.KinesisCall) {
		if call.Operation == "PutRecords" && !done {
			done = true
			do(call)
		}
	}
}

func failEntries(code string, entries ...int) func(*fake.KinesisCall) {
	return func(call *fake.KinesisCall) {
		call.FailEntry = map[int]fake.KinesisError{}
		for _, i := range entries {
			call.FailEntry[i] = fake.KinesisError{Code: code, Message: "a fault of the test"}
		}
	}
}

// A failure that passes costs time only: the records of it are sent again, and no others.
func TestPut_failuresThatPass(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   func(*fake.KinesisCall)
		records int // stored: more than 4 if some are there twice
		sent    []int
	}{
		{"one record fails", failEntries("InternalFailure", 1), 4, []int{4, 1}},
		{"one record is throttled", failEntries("ProvisionedThroughputExceededException", 0), 4, []int{4, 1}},
		{"all records fail", failEntries("InternalFailure", 0, 1, 2, 3), 4, []int{4, 4}},
		{"all records are throttled", failEntries("ProvisionedThroughputExceededException", 0, 1, 2, 3), 4, []int{4, 4}},
		{"a record fails with a code that is not known", failEntries("SomethingNew", 2), 4, []int{4, 1}},
		{"the call is throttled", func(c *fake.KinesisCall) { c.Error = "ProvisionedThroughputExceededException" }, 4, []int{4, 4}},
		{"too many calls", func(c *fake.KinesisCall) { c.Error = "LimitExceededException" }, 4, []int{4, 4}},
		{"the key's service throttles", func(c *fake.KinesisCall) { c.Error = "KMSThrottlingException" }, 4, []int{4, 4}},
		{"the call fails", func(c *fake.KinesisCall) { c.Error = "InternalFailure" }, 4, []int{4, 4}},
		{"the stream is being created", func(c *fake.KinesisCall) { c.Error = "ResourceInUseException" }, 4, []int{4, 4}},
		{"unavailable", func(c *fake.KinesisCall) { c.Error = "ServiceUnavailable" }, 4, []int{4, 4}},
		{"a proxy answers 502", func(c *fake.KinesisCall) { c.Status = 502 }, 4, []int{4, 4}},
		{"a proxy answers 429", func(c *fake.KinesisCall) { c.Status = 429 }, 4, []int{4, 4}},
		{"the connection breaks", func(c *fake.KinesisCall) { c.DropConnection = true }, 4, []int{4, 4}},
		{"the answer is lost", func(c *fake.KinesisCall) { c.LoseAnswer = true }, 8, []int{4, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.Start(t)
			var c calls
			cloud.Kinesis.Fail(c.fault(once(tt.fault)))
			b := sinktest.Batch("s", 4)
			if got := outcome(b, open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b)); got != "++++" {
				t.Errorf("%s, want all stored", got)
			}
			if n := len(cloud.Kinesis.Records(awstest.Stream)); n != tt.records || !slices.Equal(c.records, tt.sent) {
				t.Errorf("%d records are stored, want %d; calls with %d records, want %d", n, tt.records, c.records, tt.sent)
			}
		})
	}
}

// A failure that does not pass is a retry for the sender, at once, and says what to do.
func TestPut_failuresThatStay(t *testing.T) {
	for code, want := range map[string]string{
		"ResourceNotFoundException":   "aws kinesis create-stream --region eu-west-1 --stream-name changes",
		"AccessDeniedException":       "allow the role of this program kinesis:PutRecords on arn:aws:kinesis:eu-west-1:123456789012:stream/changes",
		"KMSAccessDeniedException":    "allow the role of this program kms:GenerateDataKey",
		"KMSDisabledException":        "aws kinesis start-stream-encryption --region eu-west-1 --stream-name changes",
		"KMSInvalidStateException":    "enable it",
		"KMSNotFoundException":        "enable it",
		"KMSOptInRequired":            "enable it",
		"UnrecognizedClientException": "check the credentials",
	} {
		t.Run(code, func(t *testing.T) {
			cloud := awstest.Start(t)
			var c calls
			cloud.Kinesis.Fail(c.fault(func(call *fake.KinesisCall) { call.Error = code }))
			b := sinktest.Batch("s", 2)
			verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b)
			if got := outcome(b, verdicts); got != "--" || len(c.records) != 1 {
				t.Fatalf("%s after %d calls, want retries after one", got, len(c.records))
			}
			if text := verdicts[0].Error(); !strings.Contains(text, want) || !strings.Contains(text, code) {
				t.Errorf("%s\nwant %s and the code", text, want)
			}
		})
	}
}

// A stream that does not exist is one of those failures.
func TestPut_missingStream(t *testing.T) {
	awstest.Start(t)
	b := sinktest.Batch("s", 1)
	verdicts := open(t, "kinesis://eu-west-1/123456789012/nothing", sink.Options{}).Put(t.Context(), b)
	if outcome(b, verdicts) != "-" || !strings.Contains(verdicts[0].Error(), "--stream-name nothing") {
		t.Errorf("%v", verdicts)
	}
}

// A Put whose calls are not answered returns in time.
func TestPut_noAnswer(t *testing.T) {
	cloud := awstest.Start(t)
	hang := make(chan struct{})
	defer close(hang)
	var c calls
	cloud.Kinesis.Fail(c.fault(func(call *fake.KinesisCall) { call.Hang = hang }))
	b := sinktest.Batch("s", 2)
	began := time.Now()
	verdicts := open(t, awstest.StreamSink, sink.Options{Timeout: 600 * time.Millisecond}).Put(t.Context(), b)
	if got := outcome(b, verdicts); got != "--" || time.Since(began) > time.Minute {
		t.Errorf("%s after %s", got, time.Since(began))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.records) < 2 {
		t.Errorf("%d calls, want another after the first", len(c.records))
	}
}

// Put does not return before Kinesis has answered.
func TestPut_noEarlyVerdict(t *testing.T) {
	cloud := awstest.Start(t)
	answer, arrived := make(chan struct{}), make(chan struct{})
	cloud.Kinesis.Fail(once(func(call *fake.KinesisCall) {
		call.HoldAnswer = answer
		close(arrived)
	}))
	s := open(t, awstest.StreamSink, sink.Options{})
	done := make(chan sink.Verdicts)
	go func() { done <- s.Put(t.Context(), sinktest.Batch("s", 1)) }()
	<-arrived
	select {
	case v := <-done:
		t.Errorf("Put returned %v before there was an answer", v)
	default:
	}
	close(answer)
	if v := <-done; v != nil {
		t.Error(v)
	}
}

// What Kinesis refuses in a call is refused for good only with evidence: it takes the others.
func TestPut_refusedRecord(t *testing.T) {
	cloud := awstest.Start(t)
	cloud.Kinesis.Fail(func(call *fake.KinesisCall) {
		for _, e := range call.Entries {
			if strings.Contains(string(e.Data), `"i":7}`) {
				call.Error, call.Message = "InvalidArgumentException", "Value "+string(e.Data)+" is invalid."
			}
		}
	})
	b := sinktest.Batch("s", 16)
	verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b)
	if got := outcome(b, verdicts); got != "+++++++x++++++++" {
		t.Fatalf("%s, want the eighth refused", got)
	}
	if text := verdicts[7].Error(); strings.Contains(text, `"i"`) || !strings.Contains(text, "InvalidArgumentException") {
		t.Errorf("%s: want the code, and nothing of the record", text)
	}
}

// A stream that refuses everything makes no dead letters, and few calls.
func TestPut_everythingRefused(t *testing.T) {
	for _, code := range []string{"ValidationException", "InvalidArgumentException"} {
		cloud := awstest.Start(t)
		var c calls
		cloud.Kinesis.Fail(c.fault(func(call *fake.KinesisCall) { call.Error = code }))
		b := sinktest.Batch("s", 500)
		if got := outcome(b, open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b)); strings.Trim(got, "-") != "" {
			t.Errorf("%s: %s, want retries", code, got)
		}
		if n := len(c.records); n > 100 {
			t.Errorf("%s: %d calls", code, n)
		}
	}
}

func TestPut_overloaded(t *testing.T) {
	awstest.Start(t)
	b := sinktest.Batch("s", 3)
	verdicts := open(t, awstest.StreamSink+"?max-messages=2", sink.Options{}).Put(t.Context(), b)
	if got := outcome(b, verdicts); got != "++-" || !errors.Is(verdicts[2], sink.ErrOverloaded) {
		t.Errorf("%s, %v", got, verdicts)
	}
}

// Put neither keeps nor changes the memory of the batch.
func TestPut_batchIsFree(t *testing.T) {
	cloud := awstest.Start(t)
	s := open(t, awstest.StreamSink, sink.Options{})
	b := sinktest.Batch("s", 50)
	for round := range 3 {
		for i := range b.Changes {
			b.Changes[i].Data = fmt.Appendf(b.Changes[i].Data[:0], `{"r":%d}`, round)
		}
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Fatal(verdicts)
		}
	}
	for i, r := range cloud.Kinesis.Records(awstest.Stream) {
		if want := fmt.Sprintf(`{"r":%d}`, i/50); string(r.Data) != want {
			t.Errorf("record %d: %s, want %s", i, r.Data, want)
		}
	}
}

func TestPut_empty(t *testing.T) {
	cloud := awstest.Start(t)
	var c calls
	cloud.Kinesis.Fail(c.fault(nil))
	if verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), sink.Batch{}); verdicts != nil || c.records != nil {
		t.Errorf("%v after %d calls", verdicts, len(c.records))
	}
}

// A Put whose sender has gone makes no call.
func TestPut_cancelledBefore(t *testing.T) {
	cloud := awstest.Start(t)
	var c calls
	cloud.Kinesis.Fail(c.fault(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := sinktest.Batch("s", 1)
	s := open(t, awstest.StreamSink, sink.Options{})
	verdicts := s.Put(ctx, b)
	if got := outcome(b, verdicts); got != "-" || !errors.Is(verdicts[0], context.Canceled) {
		t.Errorf("%s, %v", got, verdicts)
	}
	if verdicts := s.Put(t.Context(), b); verdicts != nil || len(c.records) != 1 {
		t.Errorf("%v after %d calls, want one: nothing waits for the first", verdicts, len(c.records))
	}
}

// The settings refuse a stream for dead letters. If it gets one, it keeps none.
func TestPut_deadLetters(t *testing.T) {
	cloud := awstest.Start(t)
	b := sinktest.Batch("s", 1)
	b.DeadLetters = []sink.DeadLetter{{Reason: "test"}}
	if got := outcome(b, open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b)); got != "-" || len(cloud.Kinesis.Records(awstest.Stream)) != 0 {
		t.Errorf("%s, want a retry", got)
	}
}

// A call is what AWS's own client would send.
func TestPut_callIsThatOfTheSDK(t *testing.T) {
	awstest.Start(t)
	var requests []*http.Request
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests, bodies = append(requests, r), append(bodies, string(body))
		_, _ = io.WriteString(w, `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]}`) // else the client fails
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	b := sinktest.Batch("s", 2)
	b.Changes[0].Data = []byte("{\"a\":\"<é\xff\"}")
	if verdicts := open(t, awstest.StreamSink, sink.Options{}).Put(t.Context(), b); verdicts != nil {
		t.Fatal(verdicts)
	}
	config, err := awsconfig.Load(t.Context(), fake.Region)
	if err != nil {
		t.Fatal(err)
	}
	in := &awskinesis.PutRecordsInput{StreamARN: aws.String("arn:aws:kinesis:eu-west-1:123456789012:stream/changes")}
	for i := range b.Changes {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: b.Changes[i].Data, PartitionKey: aws.String(strconv.Itoa(i))})
	}
	if _, err := awskinesis.NewFromConfig(config).PutRecords(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var ours, sdks any
	if err := errors.Join(json.Unmarshal([]byte(bodies[0]), &ours), json.Unmarshal([]byte(bodies[1]), &sdks)); err != nil || !reflect.DeepEqual(ours, sdks) {
		t.Errorf("%s\nwant %s, %v", bodies[0], bodies[1], err)
	}
	for _, name := range []string{"X-Amz-Target", "Content-Type", "Accept-Encoding", "User-Agent"} {
		if got, want := requests[0].Header.Values(name), requests[1].Header.Values(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, r := range requests {
		if r.Method != http.MethodPost || r.URL.Path != "/" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kinesis/aws4_request") || r.ContentLength <= 0 {
			t.Errorf("%s %s with %d bytes and %v", r.Method, r.URL, r.ContentLength, r.Header)
		}
	}
}

// A change costs about one allocation, for what package ordered knows of its record. The
// server's are counted too, and those of AWS's client, once for each call.
func TestPut_allocations(t *testing.T) {
	awstest.InstantKinesis(t)
	s := open(t, awstest.StreamSink, sink.Options{})
	b := kilobytes(500)
	allocations := testing.AllocsPerRun(20, func() {
		if verdicts := s.Put(t.Context(), b); verdicts != nil {
			t.Error(verdicts)
		}
	})
	if each := allocations / 500; each > 1.3 {
		t.Errorf("%.2f allocations for a change", each)
	}
}
