package fake

import (
	"crypto/md5" //nolint:gosec // SQS responds it
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sendEntry is a message to send: an entry of a batch, or the only one of a call.
type sendEntry struct {
	ID                      string `json:"Id"`
	MessageBody             string
	MessageGroupID          string `json:"MessageGroupId"`
	MessageDeduplicationID  string `json:"MessageDeduplicationId"`
	DelaySeconds            int
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
}

// attribute is an attribute of a message. Either value is nil if it was not sent.
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

func (a attribute) isBinary() bool {
	return a.DataType == "Binary" || strings.HasPrefix(a.DataType, "Binary.")
}

// value returns the attribute's value, if it is binary its bytes.
func (a attribute) value() string {
	if a.isBinary() || a.StringValue == nil {
		return string(a.BinaryValue)
	}
	return *a.StringValue
}

// message returns the message as it was sent.
func (e *sendEntry) message() SQSMessage {
	m := SQSMessage{Group: e.MessageGroupID, DeduplicationID: e.MessageDeduplicationID, Body: e.MessageBody}
	if len(e.MessageAttributes) > 0 {
		m.Attributes, m.Types = map[string]string{}, map[string]string{}
	}
	for name, a := range e.MessageAttributes {
		m.Attributes[name], m.Types[name] = a.value(), a.DataType
	}
	if len(e.MessageSystemAttributes) > 0 {
		m.SystemAttributes = map[string]string{}
	}
	for name, a := range e.MessageSystemAttributes {
		m.SystemAttributes[name] = a.value()
	}
	return m
}

// size returns the size that SQS counts: of the body, and of the attributes' names, types and
// values, but not of system attributes.
func (e *sendEntry) size() int {
	n := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.value())
	}
	return n
}

func senderFault(code, message string) *SQSError { return &SQSError{code, message, true} }

// check returns why every queue refuses the message.
func (e *sendEntry) check() *SQSError {
	switch {
	case e.MessageBody == "":
		return senderFault("MissingParameter", "The request must contain the parameter MessageBody.")
	case !isXMLText(e.MessageBody):
		return senderFault("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.")
	case !isQueueToken(e.MessageGroupID):
		return senderFault("InvalidParameterValue", "Value for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case !isQueueToken(e.MessageDeduplicationID):
		return senderFault("InvalidParameterValue", "Value for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case len(e.MessageAttributes) > maxAttributes:
		return senderFault("InvalidParameterValue", fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(e.MessageAttributes), maxAttributes))
	case e.DelaySeconds < 0 || e.DelaySeconds > 900:
		return senderFault("InvalidParameterValue", "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
	}
	for name, a := range e.MessageAttributes {
		if why := checkAttribute(name, a); why != "" {
			return senderFault("InvalidParameterValue", "The message attribute '"+name+"' "+why)
		}
	}
	for name, a := range e.MessageSystemAttributes {
		if name != "AWSTraceHeader" || a.DataType != "String" || !isTraceHeader(a.value()) {
			return senderFault("InvalidParameterValue", "The message system attribute '"+name+"' is invalid.")
		}
	}
	return nil
}

// isXMLText reports whether all characters of s may be in an XML 1.0 document.
func isXMLText(s string) bool {
	for _, c := range s {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return false
		}
	}
	return true
}

// isQueueToken reports whether s can be a group or a deduplication ID: up to 128 ASCII
// characters that are letters, digits or punctuation.
func isQueueToken(s string) bool {
	return len(s) <= 128 && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7F }) < 0
}

// attributeType matches a type with an optional label of the sender's.
var attributeType = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)

// checkAttribute returns what is wrong with an attribute (the developer guide, "Amazon SQS
// message metadata"), "" if nothing is.
func checkAttribute(name string, a attribute) string {
	v := a.value()
	lower := strings.ToLower(name)
	switch {
	case len(name) < 1 || len(name) > 256 || strings.IndexFunc(name, func(c rune) bool { return c != '-' && c != '_' && c != '.' && !isAlphanumeric(c) }) >= 0:
		return "has a name with characters that are not allowed, or of another length than 1 to 256."
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return "has a name that starts or ends with a period, or has several in a row."
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return "has a name that is reserved."
	case !attributeType.MatchString(a.DataType) || len(a.DataType) > 256:
		return "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
	case a.isBinary() && a.StringValue != nil || !a.isBinary() && a.BinaryValue != nil:
		return "has a value of another type than it says."
	case v == "":
		return "must contain a non-empty message attribute value."
	case !a.isBinary() && !isXMLText(v):
		return "has a value with invalid characters."
	}
	if strings.HasPrefix(a.DataType, "Number") {
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return "has a value that is not a number."
		}
	}
	return ""
}

// traceRoot matches the part of an X-Ray trace header that names the trace.
var traceRoot = regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`)

// isTraceHeader reports whether s is an X-Ray trace header: Root and other pairs, with
// semicolons between them.
func isTraceHeader(s string) bool {
	parts := strings.Split(s, ";")
	return slices.ContainsFunc(parts, traceRoot.MatchString) &&
		!slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(p, "=") })
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // SQS responds it
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes returns the MD5 of attributes, "" if there are none (the developer guide,
// "Calculating the MD5 message digest for message attributes").
func md5OfAttributes(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	put := func(s string) {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		put(name)
		put(a.DataType)
		if a.isBinary() {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		put(a.value())
	}
	return md5Hex(b)
}

// receivedMessage is a message as ReceiveMessage returns it.
type receivedMessage struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
}

// received returns the message with the system attributes and the attributes that a
// ReceiveMessage asks for. "All", and of attributes also ".*", asks for all of them, and
// "foo.*" for those with a prefix.
func (m *message) received(system, attributes []string) receivedMessage {
	r := receivedMessage{MessageID: m.MessageID, ReceiptHandle: m.receipt, Body: m.Body, MD5OfBody: md5Hex([]byte(m.Body))}
	all := map[string]string{
		"SenderId": Account, "SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10),
		"ApproximateReceiveCount": strconv.Itoa(m.receives), "ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
	}
	maps.Copy(all, m.SystemAttributes)
	for name, v := range map[string]string{"MessageGroupId": m.Group, "MessageDeduplicationId": m.DeduplicationID, "SequenceNumber": m.SequenceNumber} {
		if v != "" {
			all[name] = v
		}
	}
	r.Attributes = all
	if !slices.Contains(system, "All") {
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(system, name) })
	}
	r.MessageAttributes = maps.Clone(m.typed)
	maps.DeleteFunc(r.MessageAttributes, func(name string, _ attribute) bool {
		return !slices.ContainsFunc(attributes, func(asked string) bool {
			prefix, isPrefix := strings.CutSuffix(asked, ".*")
			return asked == "All" || asked == name || isPrefix && strings.HasPrefix(name, prefix)
		})
	})
	r.MD5OfMessageAttributes = md5OfAttributes(r.MessageAttributes)
	return r
}
