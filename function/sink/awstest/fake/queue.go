package fake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxVisibilitySeconds = 43_200

// queue is a queue of SQS. Its SQS guards it.
type queue struct {
	name       string
	fifo       bool
	attributes map[string]string
	created    time.Time

	messages []*message // in order of arrival, until they are deleted
	sent     uint64     // the number of messages that ever arrived
	receipts uint64

	duplicates map[string]*message // by the key that dedupKey returns
	window     []sentMessage       // those of duplicates, oldest first
}

// contents returns the messages in the queue.
func (q *queue) contents() []SQSMessage {
	messages := make([]SQSMessage, 0, len(q.messages))
	for _, m := range q.messages {
		messages = append(messages, m.SQSMessage)
	}
	return messages
}

type sentMessage struct {
	key string
	at  time.Time
}

// message is a message in a queue.
type message struct {
	SQSMessage

	sent          time.Time
	typed         map[string]attribute
	receives      int // how often
	firstReceived time.Time
	visible       time.Time // not before; zero if it was never received
	receipt       string    // the newest
}

func (m *message) inFlight(now time.Time) bool { return m.receives > 0 && now.Before(m.visible) }

// queueAttributes holds the attributes that can be set, with what is allowed and the default;
// "" is none. All values that are not listed are numbers.
var queueAttributes = map[string]struct {
	byDefault string
	values    []string
	min, max  int
}{
	"VisibilityTimeout":             {byDefault: "30", max: maxVisibilitySeconds},
	"MaximumMessageSize":            {byDefault: strconv.Itoa(maxMessageBytes), min: 1024, max: maxMessageBytes},
	"MessageRetentionPeriod":        {byDefault: "345600", min: 60, max: 1_209_600},
	"DelaySeconds":                  {byDefault: "0", max: 0},
	"ReceiveMessageWaitTimeSeconds": {byDefault: "0", max: 20},
	"FifoQueue":                     {values: []string{"true"}},
	"ContentBasedDeduplication":     {byDefault: "false", values: []string{"true", "false"}},
	"DeduplicationScope":            {byDefault: "queue", values: []string{"queue", "messageGroup"}},
	"FifoThroughputLimit":           {byDefault: "perQueue", values: []string{"perQueue", "perMessageGroupId"}},
	"SqsManagedSseEnabled":          {byDefault: "true", values: []string{"true", "false"}},
}

// computedAttributes are those that SQS sets itself.
var computedAttributes = []string{"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"}

// onlyFIFO are the attributes that only FIFO queues have.
var onlyFIFO = []string{"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}

func isQueueAttribute(name string) bool {
	_, settable := queueAttributes[name]
	return settable || slices.Contains(computedAttributes, name)
}

// newQueue returns an empty queue with the attributes, or why there can be none.
func newQueue(name string, attributes map[string]string, now time.Time) (*queue, *rpcError) {
	base, fifo := strings.CutSuffix(name, ".fifo")
	if !isEntryID(base) || len(name) > 80 {
		return nil, &rpcError{"InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."}
	}
	if fifo != (attributes["FifoQueue"] == "true") {
		return nil, &rpcError{"InvalidParameterValue", "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."}
	}
	q := &queue{name: name, fifo: fifo, attributes: map[string]string{}, created: now, duplicates: map[string]*message{}}
	for attribute, a := range queueAttributes {
		if a.byDefault != "" && (fifo || !slices.Contains(onlyFIFO, attribute)) {
			q.attributes[attribute] = a.byDefault
		}
	}
	for attribute, v := range attributes {
		a, ok := queueAttributes[attribute]
		if !ok || !fifo && slices.Contains(onlyFIFO, attribute) {
			return nil, &rpcError{"InvalidAttributeName", "Unknown Attribute " + attribute + "."}
		}
		n, err := strconv.Atoi(v)
		if a.values == nil && (err != nil || n < a.min || n > a.max) || a.values != nil && !slices.Contains(a.values, v) {
			return nil, &rpcError{"InvalidAttributeValue", "Invalid value for the parameter " + attribute + "."}
		}
		q.attributes[attribute] = v
	}
	if q.attributes["FifoThroughputLimit"] == "perMessageGroupId" && q.attributes["DeduplicationScope"] != "messageGroup" {
		return nil, &rpcError{"InvalidAttributeValue", "FifoThroughputLimit can be perMessageGroupId only when DeduplicationScope is messageGroup."}
	}
	return q, nil
}

// number returns the value of an attribute that is a number.
func (q *queue) number(attribute string) int {
	n, _ := strconv.Atoi(q.attributes[attribute]) // newQueue has checked it
	return n
}

// all returns all attributes of the queue.
func (q *queue) all(now time.Time) map[string]string {
	inFlight := 0
	for _, m := range q.messages {
		if m.inFlight(now) {
			inFlight++
		}
	}
	all := maps.Clone(q.attributes)
	all["QueueArn"] = "arn:aws:sqs:" + Region + ":" + Account + ":" + q.name
	all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
	all["LastModifiedTimestamp"] = all["CreatedTimestamp"]
	all["ApproximateNumberOfMessages"] = strconv.Itoa(len(q.messages) - inFlight)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(inFlight)
	all["ApproximateNumberOfMessagesDelayed"] = "0"
	return all
}

// check returns why the queue refuses a message, nil if it takes it.
func (q *queue) check(e *sendEntry) *SQSError {
	if err := e.check(); err != nil {
		return err
	}
	if most := q.number("MaximumMessageSize"); e.size() > most {
		return senderFault("InvalidParameterValue", fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most))
	}
	switch {
	case q.fifo && e.DelaySeconds != 0:
		return senderFault("InvalidParameterValue", "Value for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.")
	case q.fifo && e.MessageGroupID == "":
		return senderFault("MissingParameter", "The request must contain the parameter MessageGroupId.")
	case q.fifo && e.MessageDeduplicationID == "" && q.attributes["ContentBasedDeduplication"] != "true":
		return senderFault("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly.")
	case !q.fifo && e.MessageDeduplicationID != "":
		return senderFault("InvalidParameterValue", "The request includes a parameter that is not valid for this queue type.")
	}
	return nil
}

// add stores a message that check has passed, unless it is a duplicate, and returns what SQS
// responds to both.
func (q *queue) add(e *sendEntry, now time.Time) sendSuccess {
	m := &message{SQSMessage: e.message(), sent: now, typed: e.MessageAttributes}
	if q.fifo && m.DeduplicationID == "" {
		sum := sha256.Sum256([]byte(m.Body))
		m.DeduplicationID = hex.EncodeToString(sum[:])
	}
	key := m.DeduplicationID
	if q.attributes["DeduplicationScope"] == "messageGroup" {
		key = m.Group + " " + key // neither can have a space
	}
	for len(q.window) > 0 && !now.Before(q.window[0].at.Add(dedupWindow)) {
		delete(q.duplicates, q.window[0].key)
		q.window = q.window[1:]
	}
	if first := q.duplicates[key]; q.fifo && first != nil {
		m.MessageID, m.SequenceNumber = first.MessageID, first.SequenceNumber
	} else {
		q.sent++
		m.MessageID = fmt.Sprintf("00000000-0000-4000-8000-%012x", q.sent)
		if q.fifo {
			m.SequenceNumber = fmt.Sprintf("%020d", q.sent*256)
			q.duplicates[key] = m
			q.window = append(q.window, sentMessage{key, now})
		}
		q.messages = append(q.messages, m)
	}
	return sendSuccess{
		MessageID: m.MessageID, SequenceNumber: m.SequenceNumber, MD5OfMessageBody: md5Hex([]byte(m.Body)),
		MD5OfMessageAttributes: md5OfAttributes(e.MessageAttributes), MD5OfMessageSystemAttributes: md5OfAttributes(e.MessageSystemAttributes),
	}
}

// receive returns up to most messages, and makes them invisible for a while. It returns none
// of a group that has a message in flight from before.
func (q *queue) receive(most int, visibility time.Duration, now time.Time) []*message {
	locked := map[string]bool{}
	for _, m := range q.messages {
		if q.fifo && m.inFlight(now) {
			locked[m.Group] = true
		}
	}
	var received []*message
	for _, m := range q.messages {
		if len(received) == most {
			break
		}
		if locked[m.Group] || m.inFlight(now) {
			continue
		}
		q.receipts++
		m.receives++
		if m.receives == 1 {
			m.firstReceived = now
		}
		m.visible = now.Add(visibility)
		m.receipt = fmt.Sprintf("%s#%d", m.MessageID, q.receipts)
		received = append(received, m)
	}
	return received
}

// remove deletes the message with a receipt. It succeeds if the message is gone already.
func (q *queue) remove(receipt string, now time.Time) *rpcError {
	id, number, ok := strings.Cut(receipt, "#")
	if n, err := strconv.ParseUint(number, 10, 64); !ok || err != nil || n == 0 || n > q.receipts {
		return &rpcError{"ReceiptHandleIsInvalid", "The input receipt handle is invalid."}
	}
	i := slices.IndexFunc(q.messages, func(m *message) bool { return m.MessageID == id })
	if i < 0 {
		return nil
	}
	if m := q.messages[i]; m.receipt != receipt || q.fifo && !m.inFlight(now) {
		return &rpcError{"InvalidParameterValue", "Value " + receipt + " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."}
	}
	q.messages = slices.Delete(q.messages, i, i+1)
	return nil
}
