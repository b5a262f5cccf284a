package sqs

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
	"github.com/aerosink/aerosink/function/sink/ordered"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// encoder makes the messages of a batch.
type encoder struct {
	*queue
	batch    sink.Batch
	order    []int32       // indexes of the changes in the batch, in the order of the messages
	ids      []failures.ID // of the changes, in that order
	messages []ordered.Message[*message]
	spans    []span // of the messages
	verdicts sink.Verdicts

	trace      map[string]types.MessageSystemAttributeValue // of all messages; nil if there is none
	attributes []payload.Attribute                          // scratch space, as are the others
	data       []byte
	dedupID    []byte
}

// span is the changes order[from:to].
type span struct{ from, to int }

func newEncoder(q *queue, b sink.Batch) *encoder {
	n := len(b.Changes)
	return &encoder{
		queue: q, batch: b, order: make([]int32, n), ids: make([]failures.ID, n),
		messages: make([]ordered.Message[*message], 0, n), spans: make([]span, 0, n), trace: traceHeader(b.TraceParent),
	}
}

// encode makes the messages. Changes that have none get their verdict.
func (e *encoder) encode() {
	for i := range e.order {
		e.order[i] = int32(i)
	}
	if e.isPacked() {
		slices.SortStableFunc(e.order, func(a, b int32) int { return e.groupOf(a) - e.groupOf(b) })
	}
	for at := range e.order {
		e.ids[at] = failures.IDOf(e.change(at))
	}
	if !e.isPacked() {
		for at := range e.order {
			if err := e.single(at); err != nil {
				e.setVerdict(span{at, at + 1}, err)
			}
		}
		return
	}
	for start, end := 0, 0; start < len(e.order); start = end {
		group := e.groupOf(e.order[start])
		for end < len(e.order) && e.groupOf(e.order[end]) == group {
			end++
		}
		e.pack(start, end)
	}
}

// isPacked reports whether messages have several changes. Dead letters are never packed.
func (e *encoder) isPacked() bool { return e.Packed != "" && e.batch.DeadLetters == nil }

// change returns the change at an index of e.order.
func (e *encoder) change(at int) *format.Parsed { return &e.batch.Changes[e.order[at]] }

// groupOf returns the group of a change, by its index in the batch.
func (e *encoder) groupOf(change int32) int {
	return e.batch.Changes[change].Change.Digest.Partition() % len(e.groups)
}

// setVerdict sets the verdict on the changes of a message.
func (e *encoder) setVerdict(s span, err error) {
	for _, i := range e.order[s.from:s.to] {
		e.verdicts.Set(len(e.order), int(i), err)
	}
}

// single makes the message of one change.
func (e *encoder) single(at int) error {
	p := e.change(at)
	if e.batch.DeadLetters != nil {
		return e.add(e.deadLetter(&e.batch.DeadLetters[e.order[at]], p), randomID(), span{at, at + 1})
	}
	data, name := p.Data, p.Format
	if e.Rewrites(p) {
		var err error
		if data, err = e.Rewrite(e.data[:0], p); err != nil {
			return err
		}
		e.data, name = data, e.Format
	}
	e.attributes = payload.AppendAttributes(e.attributes[:0], &p.Change, name)
	id := ""
	if e.dedup && isUnique(&p.Change) {
		e.dedupID = appendID(e.dedupID[:0], &p.Change)
		id = string(e.dedupID)
	} else {
		id = randomID()
	}
	return e.add(e.message(data, ""), id, span{at, at + 1})
}

// message makes a message of data and e.attributes. Data that is not text becomes Base64,
// which encoding, what was done to it before, is told as well.
func (e *encoder) message(data []byte, encoding string) *message {
	body := string(data)
	if !isText(body) {
		body = base64.StdEncoding.EncodeToString(data)
		encoding = strings.TrimPrefix(encoding+",base64", ",")
	}
	e.attributes = append(e.attributes, payload.Attribute{Name: "encoding", Value: encoding})
	return newMessage(body, e.attributes)
}

// deadLetter makes the message of a dead letter: its line of JSON, with attributes to filter
// by.
func (e *encoder) deadLetter(l *sink.DeadLetter, p *format.Parsed) *message {
	e.data = l.AppendLine(e.data[:0], p)
	e.attributes = append(e.attributes[:0],
		payload.Attribute{Name: "reason", Value: l.Reason},
		payload.Attribute{Name: "namespace", Value: p.Change.Namespace},
		payload.Attribute{Name: "set", Value: p.Change.Set},
		payload.Attribute{Name: "request", Value: l.Request},
	)
	return e.message(e.data[:len(e.data)-1], "") // without the newline
}

// add adds a message of the changes s, unless it is too large.
func (e *encoder) add(m *message, id string, s span) error {
	if limit := e.client.limit; m.size > limit {
		return change.Permanent(fmt.Errorf("send to %s: the message has %d bytes, and the queue takes at most %d", e.url, m.size, limit))
	}
	group := e.groupOf(e.order[s.from])
	m.MessageGroupId = &e.groups[group]
	m.MessageDeduplicationId = &id
	m.MessageSystemAttributes = e.trace
	m.changes = s.to - s.from
	e.messages = append(e.messages, ordered.Message[*message]{Entry: m, IDs: e.ids[s.from:s.to], Group: group, Size: m.size, Content: failures.Content(e.ids[s.from:s.to])})
	e.spans = append(e.spans, s)
	return nil
}

// pack makes one message of the changes order[start:end], or as few as the queue takes.
func (e *encoder) pack(start, end int) {
	k := e.Packer(e.data)
	kept := start
	for at := start; at < end; at++ {
		if err := k.Add(e.change(at)); err != nil {
			e.setVerdict(span{at, at + 1}, err)
			continue
		}
		e.order[kept], e.ids[kept] = e.order[at], e.ids[at]
		kept++
	}
	if kept > start {
		e.packOrHalve(&k, start, span{start, kept})
	}
	e.data = k.Scratch()
}

// packOrHalve makes one message of the changes s or, if that is too large, each half by itself.
// The first change of the packer is order[first].
func (e *encoder) packOrHalve(k *payload.Packer, first int, s span) {
	data, err := k.Message(s.from-first, s.to-first)
	if err != nil {
		e.setVerdict(s, fmt.Errorf("send to %s: %w", e.url, err))
		return
	}
	var all payload.Summary
	for at := s.from; at < s.to; at++ {
		all.Add(&e.change(at).Change)
	}
	e.attributes = e.summary(&all)
	m := e.message(data, e.Encoding())
	if m.size > min(packedBytes, e.client.limit) && s.to-s.from > 1 {
		middle := (s.from + s.to) / 2
		e.packOrHalve(k, first, span{s.from, middle})
		e.packOrHalve(k, first, span{middle, s.to})
		return
	}
	if err := e.add(m, e.packedID(s), s); err != nil {
		e.setVerdict(s, err)
	}
}

// summary returns the attributes of a packed message, without its encoding.
func (e *encoder) summary(all *payload.Summary) []payload.Attribute {
	attributes := e.AppendSummary(e.attributes[:0], all)
	return slices.DeleteFunc(attributes, func(a payload.Attribute) bool { return a.Name == "encoding" })
}

// packedID returns the deduplication ID of a packed message, which is random if that of one of
// its changes is.
func (e *encoder) packedID(s span) string {
	e.dedupID = e.dedupID[:0]
	for at := s.from; at < s.to; at++ {
		c := &e.change(at).Change
		if !e.dedup || !isUnique(c) {
			return randomID()
		}
		e.dedupID = append(appendID(e.dedupID, c), '\n')
	}
	return packedID(e.dedupID)
}
