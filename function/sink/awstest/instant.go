package awstest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Instant is a fake of SQS or Kinesis that answers each call at once and only counts what it
// was sent, so that a benchmark measures the client. Every queue and stream exists.
type Instant struct {
	entries, calls, bytes atomic.Int64

	buffers sync.Pool // of *bytes.Buffer
	answer  func(b *bytes.Buffer, body []byte) (entries int)
}

// InstantSQS starts an Instant that answers SendMessageBatch, which stops when the test ends.
// It sends no MD5s back, so that the client has none to check.
func InstantSQS(t testing.TB) *Instant {
	t.Helper()
	return startInstant(t, answerSQS)
}

// InstantKinesis starts an Instant that answers PutRecords, which stops when the test ends.
func InstantKinesis(t testing.TB) *Instant {
	t.Helper()
	return startInstant(t, answerKinesis)
}

func startInstant(t testing.TB, answer func(*bytes.Buffer, []byte) int) *Instant {
	t.Helper()
	i := &Instant{answer: answer}
	i.buffers.New = func() any { return new(bytes.Buffer) }
	serve(t, i)
	return i
}

// Entries returns how many messages or records were sent.
func (i *Instant) Entries() int64 { return i.entries.Load() }

// Calls returns how many calls there were.
func (i *Instant) Calls() int64 { return i.calls.Load() }

// Bytes returns how many bytes of request bodies there were.
func (i *Instant) Bytes() int64 { return i.bytes.Load() }

// ServeHTTP implements [http.Handler].
func (i *Instant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, response := i.buffer(), i.buffer()
	defer i.buffers.Put(request)
	defer i.buffers.Put(response)
	if r.ContentLength > 0 {
		request.Grow(int(r.ContentLength) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	if _, err := request.ReadFrom(r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.entries.Add(int64(i.answer(response, request.Bytes())))
	i.calls.Add(1)
	i.bytes.Add(int64(request.Len()))
	w.Header().Set("Content-Length", strconv.Itoa(response.Len()))
	_, _ = w.Write(response.Bytes()) // the call counts even if the client has gone
}

func (i *Instant) buffer() *bytes.Buffer {
	b, ok := i.buffers.Get().(*bytes.Buffer)
	if !ok {
		panic("a pool of buffers has something else")
	}
	b.Reset()
	return b
}

// Members of JSON that stand once in each entry. They cannot be part of a string, in which
// quotation marks have a backslash, and no other member of a request has the name and a string.
var (
	entryID      = []byte(`"Id":"`)
	partitionKey = []byte(`"PartitionKey":"`)
)

// answerSQS writes the answer to a SendMessageBatch. Each entry has an Id, which is not escaped.
func answerSQS(b *bytes.Buffer, body []byte) (entries int) {
	b.WriteString(`{"Successful":[`)
	for {
		at := bytes.Index(body, entryID)
		if at < 0 {
			break
		}
		body = body[at+len(entryID):]
		end := bytes.IndexByte(body, '"')
		if end < 0 {
			break
		}
		if entries > 0 {
			b.WriteByte(',')
		}
		entries++
		b.WriteString(`{"Id":"`)
		b.Write(body[:end])
		b.WriteString(`","MessageId":"00000000-0000-4000-8000-000000000000","SequenceNumber":"00000000000000000256"}`)
		body = body[end:]
	}
	b.WriteString(`]}`)
	return entries
}

// answerKinesis writes the answer to a PutRecords.
func answerKinesis(b *bytes.Buffer, body []byte) (entries int) {
	b.WriteString(`{"FailedRecordCount":0,"Records":[`)
	for at := bytes.Index(body, partitionKey); at >= 0; at = bytes.Index(body, partitionKey) {
		body = body[at+len(partitionKey):]
		if entries > 0 {
			b.WriteByte(',')
		}
		entries++
		b.WriteString(`{"SequenceNumber":"49000000000000000000000000000000000000000000000000000000","ShardId":"shardId-000000000000"}`)
	}
	b.WriteString(`]}`)
	return entries
}

// Discard is a fake of S3 that only counts uploads, so that a benchmark measures the client.
// Every bucket exists and is empty.
type Discard struct {
	objects, bytes atomic.Int64
}

// DiscardS3 starts a Discard, which stops when the test ends.
func DiscardS3(t testing.TB) *Discard {
	t.Helper()
	d := &Discard{}
	serve(t, d)
	return d
}

// Objects returns how many objects were uploaded.
func (d *Discard) Objects() int64 { return d.objects.Load() }

// Bytes returns how many bytes of request bodies were uploaded.
func (d *Discard) Bytes() int64 { return d.bytes.Load() }

// ServeHTTP accepts an upload.
func (d *Discard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPut {
		d.objects.Add(1)
		d.bytes.Add(n)
		w.Header().Set("ETag", `"00000000000000000000000000000000"`)
	}
}
