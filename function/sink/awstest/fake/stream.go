package fake

import (
	"crypto/md5" //nolint:gosec // by which Kinesis finds a record's shard
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// stream is a stream of Kinesis. Its Kinesis guards it.
type stream struct {
	name     string
	created  time.Time
	settings StreamSettings
	shards   []shard
	records  []record
}

// contents returns the records in the stream.
func (s *stream) contents() []KinesisRecord {
	records := make([]KinesisRecord, 0, len(s.records))
	for _, r := range s.records {
		records = append(records, r.KinesisRecord)
	}
	return records
}

// shard is a range of hashes, the last included.
type shard struct {
	id          string
	first, last *big.Int

	second         time.Time // the one in which records and bytes are counted
	records, bytes int
}

type record struct {
	KinesisRecord

	arrived time.Time
}

// hashes is the number of different hashes.
var hashes = new(big.Int).Lsh(big.NewInt(1), 128)

func newStream(name string, shards int, now time.Time) *stream {
	s := &stream{name: name, created: now}
	bound := func(i int) *big.Int { // the first hash of shard i
		b := new(big.Int).Mul(hashes, big.NewInt(int64(i)))
		return b.Div(b, big.NewInt(int64(shards)))
	}
	for i := range shards {
		last := bound(i + 1)
		s.shards = append(s.shards, shard{id: fmt.Sprintf("shardId-%012d", i), first: bound(i), last: last.Sub(last, big.NewInt(1))})
	}
	return s
}

// checkAll returns why the stream refuses a PutRecords as a whole, nil if it does not.
func (s *stream) checkAll(entries []putEntry) *rpcError {
	if len(entries) < 1 || len(entries) > maxRecords {
		return invalid("records", fmt.Sprintf("Member must have length less than or equal to %d and greater than or equal to 1", maxRecords))
	}
	size := 0
	for i := range entries {
		if err := s.check(&entries[i]); err != nil {
			return err
		}
		size += entries[i].size()
	}
	if size > maxRecordsBytes {
		return &rpcError{"InvalidArgumentException", "Records size exceeds 10 MB limit"}
	}
	return nil
}

// check returns why the stream refuses a record, and with it the whole request, nil if it
// does not.
func (s *stream) check(e *putEntry) *rpcError {
	if s.settings.Status != "" && s.settings.Status != "ACTIVE" && s.settings.Status != "UPDATING" {
		return &rpcError{"ResourceNotFoundException", "Stream " + s.name + " under account " + Account + " is not active."}
	}
	if n := utf8.RuneCountInString(e.PartitionKey); n < 1 || n > maxPartitionKey {
		return invalid("partitionKey", fmt.Sprintf("Member must have length less than or equal to %d and greater than or equal to 1", maxPartitionKey))
	}
	if e.Data == nil {
		return invalid("data", "Member must not be null")
	}
	if e.size() > s.maxRecordKiB()<<10 {
		return &rpcError{"InvalidArgumentException", fmt.Sprintf("Record size exceeds the limit of %d KiB of stream %s", s.maxRecordKiB(), s.name)}
	}
	if e.ExplicitHashKey != "" && e.hash() == nil {
		return &rpcError{"InvalidArgumentException", "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]."}
	}
	return nil
}

func invalid(member, why string) *rpcError {
	return &rpcError{"ValidationException", "1 validation error detected: Value at '" + member + "' failed to satisfy constraint: " + why}
}

func (s *stream) maxRecordKiB() int {
	if s.settings.MaxRecordSizeKiB == 0 {
		return maxRecordKiB
	}
	return s.settings.MaxRecordSizeKiB
}

func (e *putEntry) size() int { return len(e.Data) + len(e.PartitionKey) }

// hash returns what determines the record's shard, nil if the explicit hash is invalid.
func (e *putEntry) hash() *big.Int {
	if e.ExplicitHashKey == "" {
		sum := md5.Sum([]byte(e.PartitionKey)) //nolint:gosec // as Kinesis does
		return new(big.Int).SetBytes(sum[:])
	}
	hash, ok := new(big.Int).SetString(e.ExplicitHashKey, 10)
	if !ok || hash.Sign() < 0 || hash.Cmp(hashes) >= 0 {
		return nil
	}
	return hash
}

// put stores a record that check has passed, or returns why its shard does not take it.
func (s *stream) put(e *putEntry, now time.Time) (putResult, KinesisError) {
	hash := e.hash()
	i := slices.IndexFunc(s.shards, func(sh shard) bool { return hash.Cmp(sh.last) <= 0 })
	if s.settings.Auto {
		i = len(s.records) % len(s.shards)
	}
	sh := &s.shards[i]
	if second := now.Truncate(time.Second); !second.Equal(sh.second) {
		sh.second, sh.records, sh.bytes = second, 0, 0
	}
	if overs(sh.records+1, s.settings.ShardRecords) || overs(sh.bytes+e.size(), s.settings.ShardBytes) {
		return putResult{}, KinesisError{"ProvisionedThroughputExceededException", "Rate exceeded for shard " + sh.id + " in stream " + s.name + " under account " + Account + "."}
	}
	sh.records++
	sh.bytes += e.size()
	r := record{KinesisRecord{sh.id, fmt.Sprintf("49%054d", len(s.records)), e.PartitionKey, e.Data}, now}
	s.records = append(s.records, r)
	return putResult{ShardID: r.Shard, SequenceNumber: r.SequenceNumber}, KinesisError{}
}

// overs reports whether n is over a limit; 0 is none.
func overs(n, limit int) bool { return limit > 0 && n > limit }

// summary returns the stream's description, as DescribeStreamSummary responds it.
func (s *stream) summary() map[string]any {
	status := s.settings.Status
	if status == "" {
		status = "ACTIVE"
	}
	d := map[string]any{
		"StreamName": s.name, "StreamARN": streamARN(s.name), "StreamStatus": status, "StreamCreationTimestamp": s.created.Unix(), "RetentionPeriodHours": 24,
		"OpenShardCount": len(s.shards), "EnhancedMonitoring": []any{}, "EncryptionType": "NONE", "ConsumerCount": 0, "MaxRecordSizeInKiB": s.maxRecordKiB(),
		"StreamModeDetails": map[string]string{"StreamMode": "PROVISIONED"},
	}
	if !s.settings.Provisioned {
		d["StreamModeDetails"] = map[string]string{"StreamMode": "ON_DEMAND"}
		d["RecordDistributionStrategy"] = "USER_PARTITION_KEY"
		if s.settings.Auto {
			d["RecordDistributionStrategy"] = "AUTO"
		}
	}
	return d
}

// list returns the shards, as ListShards responds them.
func (s *stream) list() []any {
	var shards []any
	for _, sh := range s.shards {
		shards = append(shards, map[string]any{
			"ShardId":             sh.id,
			"HashKeyRange":        map[string]string{"StartingHashKey": sh.first.String(), "EndingHashKey": sh.last.String()},
			"SequenceNumberRange": map[string]string{"StartingSequenceNumber": fmt.Sprintf("49%054d", 0)},
		})
	}
	return shards
}

// position returns the index in s.records from which an iterator reads.
func (s *stream) position(in *getShardIterator) (int, *rpcError) {
	if !slices.ContainsFunc(s.shards, func(sh shard) bool { return sh.id == in.ShardID }) {
		return 0, &rpcError{"ResourceNotFoundException", "Shard " + in.ShardID + " in stream " + s.name + " under account " + Account + " does not exist"}
	}
	at := slices.IndexFunc(s.records, func(r record) bool { return r.SequenceNumber == in.StartingSequenceNumber })
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
		return 0, nil
	case "LATEST":
		return len(s.records), nil
	case "AT_SEQUENCE_NUMBER":
		if at >= 0 {
			return at, nil
		}
	case "AFTER_SEQUENCE_NUMBER":
		if at >= 0 {
			return at + 1, nil
		}
	}
	return 0, &rpcError{"InvalidArgumentException", "The fake has no such iterator."}
}

func formatIterator(stream, shard string, from int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %s %d", stream, shard, from))
}

func parseIterator(iterator string) (stream, shard string, from int, ok bool) {
	text, err := base64.StdEncoding.DecodeString(iterator)
	part := strings.Split(string(text), " ")
	if err != nil || len(part) != 3 {
		return "", "", 0, false
	}
	from, err = strconv.Atoi(part[2])
	return part[0], part[1], from, err == nil && from >= 0
}

type readRecord struct {
	ApproximateArrivalTimestamp float64
	Data                        []byte
	PartitionKey                string
	SequenceNumber              string
}

// read returns records of a shard, as GetRecords responds them.
func (s *stream) read(shard string, from, most int, now time.Time) any {
	out := struct {
		MillisBehindLatest int64
		NextShardIterator  string
		Records            []readRecord
	}{Records: []readRecord{}}
	next, size := from, 0
	for ; next < len(s.records); next++ {
		r := s.records[next]
		if r.Shard != shard {
			continue
		}
		size += len(r.Data)
		if len(out.Records) == most || len(out.Records) > 0 && size > maxReadRecordsBytes {
			out.MillisBehindLatest = now.Sub(r.arrived).Milliseconds()
			break
		}
		out.Records = append(out.Records, readRecord{float64(r.arrived.UnixMilli()) / 1000, r.Data, r.PartitionKey, r.SequenceNumber})
	}
	out.NextShardIterator = formatIterator(s.name, shard, next)
	return out
}
