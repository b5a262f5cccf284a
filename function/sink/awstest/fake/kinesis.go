package fake

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of Kinesis (comments of PutRecords, GetRecords and UpdateMaxRecordSize in the SDK).
const (
	maxRecords          = 500
	maxRecordsBytes     = 10 << 20 // of all records of a call with their keys
	maxPartitionKey     = 256      // characters
	maxRecordKiB        = 1024     // unless the stream allows more
	maxReadRecords      = 10_000
	maxReadRecordsBytes = 10 << 20
)

// Kinesis is a fake of Kinesis Data Streams: an http.Handler with the operations PutRecords,
// PutRecord, DescribeStreamSummary, ListShards, GetShardIterator and GetRecords. Its methods
// may be called by several goroutines at once.
//
// A stream keeps all its records for ever.
type Kinesis struct {
	faults faults[KinesisCall]

	mu      sync.Mutex
	now     func() time.Time
	streams map[string]*stream
	reverse bool
}

// KinesisCall is a call of Kinesis.
type KinesisCall struct {
	Call

	Stream  string          // the stream's name; empty if the call names none
	Entries []KinesisRecord // the records to put, without what Kinesis adds
	DryRun  bool

	// FailEntry refuses the records with these indexes, as Kinesis does under status 200.
	FailEntry map[int]KinesisError
}

// KinesisError says why a record was refused. Kinesis has two codes,
// ProvisionedThroughputExceededException and InternalFailure.
type KinesisError struct {
	Code, Message string
}

// KinesisRecord is a record in a stream.
type KinesisRecord struct {
	Shard          string
	SequenceNumber string // greater than those of the stream's earlier records, and as long
	PartitionKey   string
	Data           []byte
}

// NewKinesis returns a Kinesis without streams.
func NewKinesis() *Kinesis {
	return &Kinesis{now: time.Now, streams: map[string]*stream{}}
}

// CreateStream creates a stream, or empties it, with so many shards. Its mode is on demand,
// its records are distributed by their keys and may have 1 MiB.
func (k *Kinesis) CreateStream(name string, shards int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.streams[name] = newStream(name, shards, k.now())
}

// StreamSettings are settings of a stream that a sink must know or live with.
type StreamSettings struct {
	MaxRecordSizeKiB int  // 0 is 1,024, the default
	Auto             bool // records are distributed without regard to their keys
	Provisioned      bool // the mode is not on demand
	Status           string

	// ShardRecords and ShardBytes are what a shard takes in a second; 0 is without limit. In
	// AWS they are 1,000 and 1 MiB.
	ShardRecords, ShardBytes int
}

// SetStream changes a stream's settings. An empty Status is ACTIVE.
func (k *Kinesis) SetStream(name string, settings StreamSettings) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.streams[name]
	if s == nil {
		return fmt.Errorf("no stream %s", name)
	}
	s.settings = settings
	return nil
}

// Reverse makes PutRecords store the records of each call in reverse order, since Kinesis
// promises none.
func (k *Kinesis) Reverse(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reverse = on
}

// Records returns the records of a stream, in the order in which they were stored, nil if
// there is no such stream.
func (k *Kinesis) Records(stream string) []KinesisRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.streams[stream]
	if s == nil {
		return nil
	}
	return s.contents()
}

// Empty is like Records, and removes them. Sequence numbers begin anew.
func (k *Kinesis) Empty(stream string) []KinesisRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.streams[stream]
	if s == nil {
		return nil
	}
	records := s.contents()
	s.records = nil
	return records
}

// Fail makes fault see each call before it is handled, one at a time. A nil fault ends this.
func (k *Kinesis) Fail(fault func(*KinesisCall)) { k.faults.set(fault) }

// SetClock replaces the clock, by which the limits of shards are counted.
func (k *Kinesis) SetClock(now func() time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = now
}

var kinesisProtocol = rpc{target: "Kinesis_20131202", contentType: "application/x-amz-json-1.1", signedFor: "kinesis"}

// ServeHTTP implements [http.Handler].
func (k *Kinesis) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readBody(r)
	call := &KinesisCall{}
	operation, err := kinesisProtocol.operation(r)
	if err != nil {
		call.serve(w, r, refuseKinesis, err.kinesis)
		return
	}
	call.Operation = operation
	handle := k.prepare(call, body)
	k.faults.apply(call)
	call.serve(w, r, refuseKinesis, handle)
}

func (e *rpcError) kinesis() answer { return refuseKinesis(e.code, e.message, 0) }

func refuseKinesis(code, message string, status int) answer {
	if status == 0 {
		switch code {
		case "InternalFailure", "InternalFailureException":
			status = http.StatusInternalServerError
		case "ServiceUnavailable":
			status = http.StatusServiceUnavailable
		case missingToken, signatureInvalid:
			status = http.StatusForbidden
		default:
			status = http.StatusBadRequest
		}
	}
	return kinesisProtocol.refuse(status, "", code, message)
}

// streamReference names a stream. With both, they must agree.
type streamReference struct {
	StreamName, StreamARN string
}

func streamARN(name string) string {
	return "arn:aws:kinesis:" + Region + ":" + Account + ":stream/" + name
}

// name returns the name of the stream, "" if the request names none.
func (s *streamReference) name() string {
	if s.StreamARN != "" {
		name, _ := strings.CutPrefix(s.StreamARN, streamARN(""))
		return name
	}
	return s.StreamName
}

// stream returns the stream that a request names. The caller holds k.mu.
func (k *Kinesis) stream(ref *streamReference) (*stream, *rpcError) {
	if ref.StreamARN == "" && ref.StreamName == "" {
		return nil, &rpcError{"InvalidArgumentException", "Either the StreamARN or the StreamName must be given."}
	}
	name := ref.name()
	s := k.streams[name]
	if s == nil || ref.StreamARN != "" && ref.StreamARN != streamARN(name) || ref.StreamName != "" && ref.StreamName != name {
		return nil, &rpcError{"ResourceNotFoundException", "Stream " + name + " under account " + Account + " not found."}
	}
	return s, nil
}

// prepare reads the request into the call, as far as a fault sees it, and returns what
// handles it.
func (k *Kinesis) prepare(call *KinesisCall, body []byte) func() answer {
	switch call.Operation {
	case "PutRecords":
		var in putRecords
		if err := unmarshal(body, &in); err != nil {
			return err.kinesis
		}
		call.Stream, call.DryRun = in.name(), in.DryRun
		for i := range in.Records {
			call.Entries = append(call.Entries, KinesisRecord{PartitionKey: in.Records[i].PartitionKey, Data: in.Records[i].Data})
		}
		return func() answer { return k.putRecords(call, &in) }
	case "PutRecord":
		var in putRecord
		if err := unmarshal(body, &in); err != nil {
			return err.kinesis
		}
		call.Stream, call.DryRun = in.name(), in.DryRun
		call.Entries = []KinesisRecord{{PartitionKey: in.PartitionKey, Data: in.Data}}
		return func() answer { return k.putRecord(call, &in) }
	case "DescribeStreamSummary", "ListShards":
		var in listShards
		if err := unmarshal(body, &in); err != nil {
			return err.kinesis
		}
		call.Stream = in.name()
		if call.Operation == "ListShards" {
			return func() answer { return k.listShards(&in) }
		}
		return func() answer { return k.describe(&in) }
	case "GetShardIterator":
		var in getShardIterator
		if err := unmarshal(body, &in); err != nil {
			return err.kinesis
		}
		call.Stream = in.name()
		return func() answer { return k.iterator(&in) }
	case "GetRecords":
		var in getRecords
		if err := unmarshal(body, &in); err != nil {
			return err.kinesis
		}
		call.Stream, _, _, _ = parseIterator(in.ShardIterator)
		return func() answer { return k.records(&in) }
	}
	return (&rpcError{"UnknownOperationException", "The fake has no operation " + call.Operation + "."}).kinesis
}

type putEntry struct {
	Data            []byte
	PartitionKey    string
	ExplicitHashKey string
}

type putRecords struct {
	streamReference
	DryRun  bool
	Records []putEntry
}

type putResult struct {
	ShardID        string `json:"ShardId,omitempty"`
	SequenceNumber string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

var wouldSucceed = &rpcError{"DryRunOperationException", "The request would have succeeded, but the DryRun parameter is set."}

// putRecords handles PutRecords.
func (k *Kinesis) putRecords(call *KinesisCall, in *putRecords) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.stream(&in.streamReference)
	if err == nil {
		err = s.checkAll(in.Records)
	}
	if err == nil && in.DryRun {
		err = wouldSucceed
	}
	if err != nil {
		return err.kinesis()
	}
	out := struct {
		EncryptionType    string
		FailedRecordCount int
		Records           []putResult
	}{"NONE", 0, make([]putResult, len(in.Records))}
	for n := range in.Records {
		i := n
		if k.reverse {
			i = len(in.Records) - 1 - n
		}
		refused, ok := call.FailEntry[i]
		if !ok {
			out.Records[i], refused = s.put(&in.Records[i], k.now())
		}
		if refused.Code != "" {
			out.Records[i] = putResult{ErrorCode: refused.Code, ErrorMessage: refused.Message}
			out.FailedRecordCount++
		}
	}
	return kinesisProtocol.respond(out)
}

type putRecord struct {
	streamReference
	putEntry
	DryRun bool
}

// putRecord handles PutRecord.
func (k *Kinesis) putRecord(call *KinesisCall, in *putRecord) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.stream(&in.streamReference)
	if err == nil {
		err = s.check(&in.putEntry)
	}
	if err == nil && in.DryRun {
		err = wouldSucceed
	}
	if err != nil {
		return err.kinesis()
	}
	refused, ok := call.FailEntry[0]
	var result putResult
	if !ok {
		result, refused = s.put(&in.putEntry, k.now())
	}
	if refused.Code != "" {
		return refuseKinesis(refused.Code, refused.Message, 0)
	}
	return kinesisProtocol.respond(result)
}

type listShards struct {
	streamReference
}

// describe handles DescribeStreamSummary.
func (k *Kinesis) describe(in *listShards) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.stream(&in.streamReference)
	if err != nil {
		return err.kinesis()
	}
	return kinesisProtocol.respond(map[string]any{"StreamDescriptionSummary": s.summary()})
}

// listShards handles ListShards.
func (k *Kinesis) listShards(in *listShards) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.stream(&in.streamReference)
	if err != nil {
		return err.kinesis()
	}
	return kinesisProtocol.respond(map[string]any{"Shards": s.list()})
}

type getShardIterator struct {
	streamReference
	ShardID                string `json:"ShardId"`
	ShardIteratorType      string
	StartingSequenceNumber string
}

// iterator handles GetShardIterator.
func (k *Kinesis) iterator(in *getShardIterator) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.stream(&in.streamReference)
	if err != nil {
		return err.kinesis()
	}
	from, err := s.position(in)
	if err != nil {
		return err.kinesis()
	}
	return kinesisProtocol.respond(map[string]string{"ShardIterator": formatIterator(s.name, in.ShardID, from)})
}

type getRecords struct {
	ShardIterator string
	Limit         *int
}

// records handles GetRecords.
func (k *Kinesis) records(in *getRecords) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	name, shard, from, ok := parseIterator(in.ShardIterator)
	s := k.streams[name]
	most := value(in.Limit, maxReadRecords)
	if !ok || s == nil || most < 1 || most > maxReadRecords {
		return refuseKinesis("InvalidArgumentException", "The iterator or the limit is invalid.", 0)
	}
	return kinesisProtocol.respond(s.read(shard, from, most, k.now()))
}
