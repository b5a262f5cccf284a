package pubsub

import (
	"encoding/base64"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Field numbers of google/pubsub/v1/pubsub.proto.
const (
	requestTopic       protowire.Number = 1
	requestMessage     protowire.Number = 2
	messageData        protowire.Number = 1
	messageAttribute   protowire.Number = 2
	messageOrderingKey protowire.Number = 5
	entryKey           protowire.Number = 1
	entryValue         protowire.Number = 2
	responseMessageID  protowire.Number = 1
)

// longestAttribute is the largest size of an attribute's value in bytes
// (https://cloud.google.com/pubsub/quotas#resource_limits).
const longestAttribute = 1024

// messageWriter encodes messages as fields of a publish request. The zero value is ready
// to use.
type messageWriter struct {
	attributes []byte // encoded, of the next message
	data       []byte // scratch space for a change that is re-encoded
}

var messageWriters = sync.Pool{New: func() any { return &messageWriter{} }}

// free returns the writer to its pool.
func (w *messageWriter) free() {
	if cap(w.data) > largestBuffer {
		w.data = nil
	}
	messageWriters.Put(w)
}

// append appends the field of a request with a message of data, the attributes written
// since the last append, and the ordering key, unless it is empty.
func (w *messageWriter) append(dst, data []byte, key string) []byte {
	size := protowire.SizeTag(messageData) + protowire.SizeBytes(len(data)) + len(w.attributes)
	if key != "" {
		size += protowire.SizeTag(messageOrderingKey) + protowire.SizeBytes(len(key))
	}
	dst = protowire.AppendTag(dst, requestMessage, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = protowire.AppendTag(dst, messageData, protowire.BytesType)
	dst = protowire.AppendBytes(dst, data)
	dst = append(dst, w.attributes...)
	if key != "" {
		dst = protowire.AppendTag(dst, messageOrderingKey, protowire.BytesType)
		dst = protowire.AppendString(dst, key)
	}
	w.attributes = w.attributes[:0]
	return dst
}

// dataOf returns the data of a message that append has written.
func dataOf(field []byte) []byte {
	_, _, n := protowire.ConsumeTag(field)
	message, _ := protowire.ConsumeBytes(field[n:])
	_, _, n = protowire.ConsumeTag(message)
	data, _ := protowire.ConsumeBytes(message[n:])
	return data
}

// entry starts an attribute. The caller appends its value of size bytes.
func (w *messageWriter) entry(name string, size int) {
	a := protowire.AppendTag(w.attributes, messageAttribute, protowire.BytesType)
	a = protowire.AppendVarint(a, uint64(protowire.SizeTag(entryKey)+protowire.SizeBytes(len(name))+protowire.SizeTag(entryValue)+protowire.SizeBytes(size)))
	a = protowire.AppendTag(a, entryKey, protowire.BytesType)
	a = protowire.AppendString(a, name)
	a = protowire.AppendTag(a, entryValue, protowire.BytesType)
	w.attributes = protowire.AppendVarint(a, uint64(size))
}

// text writes an attribute, unless its value is empty or one that Pub/Sub would refuse
// the whole request for.
func (w *messageWriter) text(name, value string) {
	if value == "" || len(value) > longestAttribute || !utf8.ValidString(value) {
		return
	}
	w.entry(name, len(value))
	w.attributes = append(w.attributes, value...)
}

func (w *messageWriter) number(name string, value int64) {
	var scratch [20]byte
	digits := strconv.AppendInt(scratch[:0], value, 10)
	w.entry(name, len(digits))
	w.attributes = append(w.attributes, digits...)
}

// change writes the metadata of a change, as far as it is known, and the format of its
// bytes.
func (w *messageWriter) change(c *change.Change, format string) {
	w.text("format", format)
	w.text("namespace", c.Namespace)
	w.text("set", c.Set)
	w.text("op", c.Op.String())
	w.digest(c.Digest)
	w.numbers(c)
	if !c.Op.IsDelete() && c.Expiry != change.ExpiryUnknown {
		w.number("expiry", c.Expiry)
	}
}

func (w *messageWriter) digest(d change.Digest) {
	w.entry("digest", base64.StdEncoding.EncodedLen(len(d)))
	w.attributes = base64.StdEncoding.AppendEncode(w.attributes, d[:])
	w.number("partition", int64(d.Partition()))
}

func (w *messageWriter) numbers(c *change.Change) {
	if c.Generation > 0 {
		w.number("generation", int64(c.Generation))
	}
	if c.LUT > 0 {
		w.number("lut", c.LUT)
	}
}

// deadLetter writes why p is a dead letter, and what is known of its change.
func (w *messageWriter) deadLetter(l *sink.DeadLetter, p *format.Parsed) {
	w.text("reason", truncateReason(l.Reason))
	if l.Offset != sink.UnknownOffset {
		w.number("offset", int64(l.Offset))
	}
	if l.Size > 0 {
		w.number("size", int64(l.Size))
	}
	w.text("mediaType", l.MediaType)
	w.text("request", l.Request)
	w.text("received", l.Received.UTC().Format(time.RFC3339Nano))
	if p.Err == nil {
		w.change(&p.Change, p.Format)
		return
	}
	w.text("format", p.Format)
	if p.Change.Namespace != "" {
		w.text("namespace", p.Change.Namespace)
		w.text("set", p.Change.Set)
		w.digest(p.Change.Digest)
		w.numbers(&p.Change)
	}
}

// truncateReason returns the part of a reason that fits into an attribute.
func truncateReason(reason string) string {
	reason = reason[:min(len(reason), longestAttribute)]
	for len(reason) > 0 && !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	return reason
}
