package fake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of SQS (comments of SendMessageBatch and CreateQueue in the SDK).
const (
	maxEntries      = 10
	maxMessageBytes = 1 << 20 // of a message and of all messages of a call
	maxAttributes   = 10
	dedupWindow     = 5 * time.Minute
)

// SQS is a fake of SQS: an http.Handler with the operations CreateQueue, GetQueueUrl,
// GetQueueAttributes, SendMessage, SendMessageBatch, ReceiveMessage and DeleteMessage. Its
// methods may be called by several goroutines at once.
//
// A queue keeps the messages in the order in which they arrived until they are deleted. It
// has no retention period, no dead letter queue, and takes as many calls as come.
type SQS struct {
	faults faults[SQSCall]

	mu      sync.Mutex
	now     func() time.Time
	queues  map[string]*queue
	arrived chan struct{} // closed when a message arrives or is deleted
}

// SQSCall is a call of SQS.
type SQSCall struct {
	Call

	Queue   string       // the queue's name; empty if the call names none
	Entries []SQSMessage // the messages to send, without what SQS adds

	// FailEntry refuses the messages with these indexes, as SQS does under status 200.
	FailEntry map[int]SQSError
}

// SQSError says why a message was refused.
type SQSError struct {
	Code, Message string
	SenderFault   bool // the message itself is wrong
}

// SQSMessage is a message in a queue.
type SQSMessage struct {
	MessageID       string
	Group           string
	DeduplicationID string
	Body            string
	SequenceNumber  string // 20 digits, greater than those of the queue's earlier messages

	// Attributes holds the values of the message's attributes by their names, those of type
	// Binary as bytes. Types holds their types, String, Number or Binary.
	Attributes, Types map[string]string

	SystemAttributes map[string]string // AWSTraceHeader, if it was sent
}

// NewSQS returns an SQS without queues.
func NewSQS() *SQS {
	return &SQS{now: time.Now, queues: map[string]*queue{}, arrived: make(chan struct{})}
}

// CreateQueue creates a queue. Its name ends in .fifo if it is one; the attribute FifoQueue
// is then set by itself. The error is that of SQS if the name or an attribute is not allowed.
func (s *SQS) CreateQueue(name string, attributes map[string]string) error {
	attributes = maps.Clone(attributes)
	if strings.HasSuffix(name, ".fifo") {
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes["FifoQueue"] = "true"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.create(name, attributes); err != nil {
		return fmt.Errorf("create queue %s: %s: %s", name, err.code, err.message)
	}
	return nil
}

// Messages returns the messages in a queue, in the order in which they arrived, nil if there
// is no such queue.
func (s *SQS) Messages(queue string) []SQSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[queue]; q != nil {
		return q.contents()
	}
	return nil
}

// Empty is like Messages, and deletes them.
func (s *SQS) Empty(queue string) []SQSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[queue]
	if q == nil {
		return nil
	}
	messages := q.contents()
	q.messages = nil
	return messages
}

// Fail makes fault see each call before it is handled, one at a time. A nil fault ends this.
func (s *SQS) Fail(fault func(*SQSCall)) { s.faults.set(fault) }

// SetClock replaces the clock, by which messages are deduplicated and become visible again.
func (s *SQS) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

var sqsProtocol = rpc{target: "AmazonSQS", contentType: "application/x-amz-json-1.0", signedFor: "sqs"}

// ServeHTTP implements [http.Handler].
func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readBody(r)
	call := &SQSCall{}
	operation, err := sqsProtocol.operation(r)
	if err != nil {
		call.serve(w, r, refuseSQS, err.sqs)
		return
	}
	call.Operation = operation
	handle := s.prepare(r, call, body)
	s.faults.apply(call)
	call.serve(w, r, refuseSQS, handle)
}

func (e *rpcError) sqs() answer { return refuseSQS(e.code, e.message, 0) }

// prepare reads the request into the call, as far as a fault sees it, and returns what
// handles it.
func (s *SQS) prepare(r *http.Request, call *SQSCall, body []byte) func() answer {
	switch call.Operation {
	case "SendMessageBatch":
		var in sendMessageBatch
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = queueName(in.QueueURL)
		for _, e := range in.Entries {
			call.Entries = append(call.Entries, e.message())
		}
		return func() answer { return s.sendBatch(call, &in) }
	case "SendMessage":
		var in sendMessage
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = queueName(in.QueueURL)
		call.Entries = []SQSMessage{in.message()}
		return func() answer { return s.send(call, &in) }
	case "ReceiveMessage":
		var in receiveMessage
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = queueName(in.QueueURL)
		return func() answer { return s.receive(r, &in) }
	case "DeleteMessage":
		var in deleteMessage
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = queueName(in.QueueURL)
		return func() answer { return s.remove(&in) }
	case "GetQueueAttributes":
		var in getQueueAttributes
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = queueName(in.QueueURL)
		return func() answer { return s.attributes(&in) }
	case "GetQueueUrl", "CreateQueue":
		var in namedQueue
		if err := unmarshal(body, &in); err != nil {
			return err.sqs
		}
		call.Queue = in.QueueName
		return func() answer { return s.named(r, call.Operation, &in) }
	}
	return (&rpcError{"UnsupportedOperation", "The fake has no operation " + call.Operation + "."}).sqs
}

// sqsStatus holds the statuses of errors that are not answered with 400 (the service's model).
var sqsStatus = map[string]int{
	missingToken: http.StatusForbidden, signatureInvalid: http.StatusForbidden,
	"AccessDenied": http.StatusForbidden, "InvalidAddress": http.StatusNotFound, "InvalidSecurity": http.StatusForbidden,
	"KmsOptInRequired": http.StatusForbidden, "OverLimit": http.StatusForbidden, "ReceiptHandleIsInvalid": http.StatusNotFound,
	"RequestThrottled": http.StatusForbidden, "InternalFailure": http.StatusInternalServerError, "ServiceUnavailable": http.StatusServiceUnavailable,
}

// sqsQuery holds the codes that the service's first protocol had, where they differ. They are
// in the header X-Amzn-Query-Error, and the SDK's ErrorCode returns them.
var sqsQuery = map[string]string{
	"BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
	"EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest", "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
	"KmsAccessDenied": "KMS.AccessDeniedException", "KmsDisabled": "KMS.DisabledException", "KmsInvalidKeyUsage": "KMS.InvalidKeyUsageException",
	"KmsInvalidState": "KMS.InvalidStateException", "KmsNotFound": "KMS.NotFoundException", "KmsOptInRequired": "KMS.OptInRequired",
	"KmsThrottled": "KMS.ThrottlingException", "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue", "QueueNameExists": "QueueAlreadyExists",
	"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}

func refuseSQS(code, message string, status int) answer {
	if status == 0 {
		status = sqsStatus[code]
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	query := sqsQuery[code]
	if query == "" {
		query = code
	}
	a := sqsProtocol.refuse(status, "com.amazonaws.sqs#", code, message)
	a.header.Set("X-Amzn-Query-Error", query+";"+fault)
	return a
}

// queueName returns the name of the queue with a URL, https://HOST/ACCOUNT/NAME, "" if the
// URL is not one of an account's queue.
func queueName(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	_, path, _ := strings.Cut(rest, "/")
	name, ok := strings.CutPrefix(path, Account+"/")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}

var noQueue = &rpcError{"QueueDoesNotExist", "The specified queue does not exist."}

// queue returns the queue with a URL. The caller holds s.mu.
func (s *SQS) queue(url string) (*queue, *rpcError) {
	if q := s.queues[queueName(url)]; q != nil {
		return q, nil
	}
	return nil, noQueue
}

// wake wakes the ReceiveMessage calls that wait. The caller holds s.mu.
func (s *SQS) wake() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}

type sendMessageBatch struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []sendEntry
}

type sendSuccess struct {
	ID                           string `json:"Id,omitempty"` // of a batch's entry
	MessageID                    string `json:"MessageId"`
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

type sendFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

// sendBatch handles SendMessageBatch.
func (s *SQS) sendBatch(call *SQSCall, in *sendMessageBatch) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err == nil {
		err = checkBatch(in.Entries)
	}
	if err != nil {
		return err.sqs()
	}
	var out struct {
		Successful []sendSuccess `json:",omitempty"`
		Failed     []sendFailure `json:",omitempty"`
	}
	for i := range in.Entries {
		e := &in.Entries[i]
		refused := q.check(e)
		if f, ok := call.FailEntry[i]; ok {
			refused = &f
		}
		if refused != nil {
			out.Failed = append(out.Failed, sendFailure{e.ID, refused.Code, refused.Message, refused.SenderFault})
			continue
		}
		success := q.add(e, s.now())
		success.ID = e.ID
		out.Successful = append(out.Successful, success)
	}
	s.wake()
	return sqsProtocol.respond(out)
}

// checkBatch checks what holds for the entries of a batch together.
func checkBatch(entries []sendEntry) *rpcError {
	switch {
	case len(entries) == 0:
		return &rpcError{"EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."}
	case len(entries) > maxEntries:
		return &rpcError{"TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxEntries, len(entries))}
	}
	ids, size := map[string]bool{}, 0
	for i := range entries {
		e := &entries[i]
		if !isEntryID(e.ID) {
			return &rpcError{"InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		}
		if ids[e.ID] {
			return &rpcError{"BatchEntryIdsNotDistinct", "Id " + e.ID + " repeated."}
		}
		ids[e.ID] = true
		size += e.size()
	}
	if size > maxMessageBytes {
		return &rpcError{"BatchRequestTooLong", fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessageBytes, size)}
	}
	return nil
}

func isEntryID(id string) bool {
	return len(id) >= 1 && len(id) <= 80 && strings.IndexFunc(id, func(c rune) bool {
		return c != '-' && c != '_' && !isAlphanumeric(c)
	}) < 0
}

func isAlphanumeric(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

type sendMessage struct {
	QueueURL string `json:"QueueUrl"`
	sendEntry
}

// send handles SendMessage.
func (s *SQS) send(call *SQSCall, in *sendMessage) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return err.sqs()
	}
	refused := q.check(&in.sendEntry)
	if f, ok := call.FailEntry[0]; ok {
		refused = &f
	}
	if refused != nil {
		return refuseSQS(refused.Code, refused.Message, 0)
	}
	success := q.add(&in.sendEntry, s.now())
	s.wake()
	return sqsProtocol.respond(success)
}

type deleteMessage struct {
	QueueURL      string `json:"QueueUrl"`
	ReceiptHandle string
}

// remove handles DeleteMessage.
func (s *SQS) remove(in *deleteMessage) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err == nil {
		err = q.remove(in.ReceiptHandle, s.now())
	}
	if err != nil {
		return err.sqs()
	}
	s.wake()
	return sqsProtocol.respond(struct{}{})
}

type receiveMessage struct {
	QueueURL                    string `json:"QueueUrl"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
}

// receive handles ReceiveMessage. It waits for a message as long as the request says.
func (s *SQS) receive(r *http.Request, in *receiveMessage) answer {
	most, wait := value(in.MaxNumberOfMessages, 1), value(in.WaitTimeSeconds, 0)
	if most < 1 || most > 10 || wait < 0 || wait > 20 {
		return refuseSQS("InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10, WaitTimeSeconds between 0 and 20.", 0)
	}
	timeout := time.NewTimer(time.Duration(wait) * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		q, err := s.queue(in.QueueURL)
		if err != nil {
			s.mu.Unlock()
			return err.sqs()
		}
		visibility := value(in.VisibilityTimeout, q.number("VisibilityTimeout"))
		if visibility < 0 || visibility > maxVisibilitySeconds {
			s.mu.Unlock()
			return refuseSQS("InvalidParameterValue", "VisibilityTimeout must be between 0 and 43200.", 0)
		}
		received := q.receive(most, time.Duration(visibility)*time.Second, s.now())
		var out struct {
			Messages []receivedMessage `json:",omitempty"`
		}
		for _, m := range received {
			out.Messages = append(out.Messages, m.received(slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames), in.MessageAttributeNames))
		}
		arrived := s.arrived
		s.mu.Unlock()
		if len(received) > 0 || wait == 0 {
			return sqsProtocol.respond(out)
		}
		select {
		case <-arrived:
		case <-timeout.C:
			return sqsProtocol.respond(out)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// value returns what p points to, or other if it is nil.
func value(p *int, other int) int {
	if p == nil {
		return other
	}
	return *p
}

type getQueueAttributes struct {
	QueueURL       string `json:"QueueUrl"`
	AttributeNames []string
}

// attributes handles GetQueueAttributes.
func (s *SQS) attributes(in *getQueueAttributes) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return err.sqs()
	}
	all := q.all(s.now())
	out := struct {
		Attributes map[string]string `json:",omitempty"`
	}{map[string]string{}}
	for _, name := range in.AttributeNames {
		if name == "All" {
			out.Attributes = all
			break
		}
		if !isQueueAttribute(name) {
			return refuseSQS("InvalidAttributeName", "Unknown Attribute "+name+".", 0)
		}
		if v, ok := all[name]; ok {
			out.Attributes[name] = v
		}
	}
	return sqsProtocol.respond(out)
}

type namedQueue struct {
	QueueName              string
	QueueOwnerAWSAccountID string `json:"QueueOwnerAWSAccountId"`
	Attributes             map[string]string
}

// named handles GetQueueUrl and CreateQueue. The URL that it responds has the host to which
// the request was sent, so that it works wherever the fake listens.
func (s *SQS) named(r *http.Request, operation string, in *namedQueue) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err *rpcError
	switch _, exists := s.queues[in.QueueName]; {
	case operation == "CreateQueue":
		err = s.create(in.QueueName, in.Attributes)
	case !exists || in.QueueOwnerAWSAccountID != "" && in.QueueOwnerAWSAccountID != Account:
		err = noQueue
	}
	if err != nil {
		return err.sqs()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return sqsProtocol.respond(struct {
		QueueURL string `json:"QueueUrl"`
	}{scheme + "://" + r.Host + "/" + Account + "/" + in.QueueName})
}

// create creates a queue, or does nothing if it exists with the same attributes. The caller
// holds s.mu.
func (s *SQS) create(name string, attributes map[string]string) *rpcError {
	q, err := newQueue(name, attributes, s.now())
	if err != nil {
		return err
	}
	if old := s.queues[name]; old != nil {
		if !maps.Equal(old.attributes, q.attributes) {
			return &rpcError{"QueueNameExists", "A queue already exists with the same name and a different value for an attribute."}
		}
		return nil
	}
	s.queues[name] = q
	return nil
}
