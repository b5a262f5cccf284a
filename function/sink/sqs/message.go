package sqs

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/function/sink/payload"
)

// Limits of a call of SendMessageBatch and of a message (comments of SendMessageBatch and
// CreateQueue in the SDK). The bytes are those of the bodies, and of the names, types and
// values of the attributes.
const (
	callMessages = 10
	callBytes    = 1 << 20
)

// packedBytes is the most that is packed into one message. All queues take it, but for those
// with a limit of their own.
const packedBytes = 256 << 10

// message is a message to send. It shares no memory with the change that it was made of.
type message struct {
	types.SendMessageBatchRequestEntry
	size    int // as SQS counts it
	changes int
}

// Types of attributes.
var (
	stringType = "String"
	numberType = "Number"
)

// newMessage returns a message with a body that SQS takes and the attributes that it takes.
func newMessage(body string, attributes []payload.Attribute) *message {
	m := &message{size: len(body)}
	m.MessageBody = &body
	m.MessageAttributes = make(map[string]types.MessageAttributeValue, len(attributes))
	values := make([]string, len(attributes))
	for i, a := range attributes {
		if a.Value == "" || !isText(a.Value) {
			continue
		}
		kind := &stringType
		if a.Number {
			kind = &numberType
		}
		values[i] = a.Value
		m.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: kind, StringValue: &values[i]}
		m.size += len(a.Name) + len(*kind) + len(a.Value)
	}
	return m
}
