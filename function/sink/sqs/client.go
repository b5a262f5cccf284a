package sqs

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS answers with it
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/ordered"
)

// client calls SQS for one queue. AWS's client makes the requests; it makes one attempt for
// each.
type client struct {
	*queueConfig
	sqs      *sqs.Client
	queueURL string
	limit    int // most bytes of a message
	metrics  *ordered.Metrics
}

// dial makes a client. It does not call SQS.
func (c *queueConfig) dial(ctx context.Context) (*client, error) {
	config, err := awsconfig.Load(ctx, c.region)
	if err != nil {
		return nil, err
	}
	endpoint, err := sqs.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sqs.EndpointParameters{Region: &c.region})
	if err != nil {
		return nil, fmt.Errorf("find the endpoint of SQS: %w", err)
	}
	return &client{
		queueConfig: c,
		sqs: sqs.NewFromConfig(config, func(o *sqs.Options) {
			o.DisableMessageChecksumValidation = true // it would fail whole calls; send checks each message
			if c.endpoint != "" {
				o.BaseEndpoint = &c.endpoint
			}
		}),
		queueURL: endpoint.URI.String() + "/" + c.account + "/" + c.name,
		limit:    callBytes,
	}, nil
}

// close closes idle connections.
func (c *client) close() { awsconfig.CloseIdleConnections(c.sqs.Options().HTTPClient) }

// limitTimeout is how long readLimit waits. A Lambda function has 10 s to start.
const limitTimeout = 2 * time.Second

// readLimit asks for the size of messages that the queue takes: old queues take 256 KiB. If
// the answer is no, or none, the limit stays that of SQS, and the queue refuses what is larger.
func (c *client) readLimit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	if attributes, err := c.attributes(ctx, types.QueueAttributeNameMaximumMessageSize); err == nil {
		c.setLimit(attributes)
	}
}

// setLimit sets the limit to that of the queue's attributes, if they have it.
func (c *client) setLimit(attributes map[string]string) {
	if n, err := strconv.Atoi(attributes[string(types.QueueAttributeNameMaximumMessageSize)]); err == nil && n > 0 {
		c.limit = min(n, callBytes)
	}
}

// attributes returns attributes of the queue.
func (c *client) attributes(ctx context.Context, names ...types.QueueAttributeName) (map[string]string, error) {
	out, err := c.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &c.queueURL, AttributeNames: names})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// entryIDs are the IDs of the entries of a call.
var entryIDs = [callMessages]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// send sends messages, and sets the result of each. If SQS refuses the whole call for what is
// in it, send sends each half by itself: no two messages of a call are of the same record.
func (c *client) send(ctx context.Context, messages []*message, results []ordered.Result) {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	size := 0
	for i, m := range messages {
		entries[i] = m.SendMessageBatchRequestEntry
		entries[i].Id = &entryIDs[i]
		size += m.size
	}
	out, err := c.sqs.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &c.queueURL, Entries: entries})
	c.metrics.CountCall(codeOf(err), len(messages), size)
	switch result := c.resultOf(err); {
	case err == nil:
		c.results(messages, out, results)
	case result.Status == ordered.Refused && len(messages) > 1:
		middle := len(messages) / 2
		c.send(ctx, messages[:middle], results[:middle])
		c.send(ctx, messages[middle:], results[middle:])
	default:
		for i, m := range messages {
			results[i] = m.blame(result)
		}
	}
}

var (
	errNoResult = errors.New("the response of SQS says nothing of the message")
	errChecksum = errors.New("SQS has stored a message with other contents than it was sent: the MD5 of its body differs")
)

// results sets the results of a call from its response.
func (c *client) results(messages []*message, out *sqs.SendMessageBatchOutput, results []ordered.Result) {
	for i := range results {
		results[i] = ordered.Result{Status: ordered.Failed, Err: errNoResult}
	}
	for i := range out.Successful {
		s := &out.Successful[i]
		at := indexOf(s.Id, results)
		switch {
		case at < 0:
		case s.MD5OfMessageBody != nil && !strings.EqualFold(*s.MD5OfMessageBody, md5Of(*messages[at].MessageBody)):
			results[at].Err = errChecksum
		default:
			results[at] = ordered.Result{}
		}
	}
	for i := range out.Failed {
		f := &out.Failed[i]
		if at := indexOf(f.Id, results); at >= 0 {
			results[at] = messages[at].blame(c.resultOfEntry(aws.ToString(f.Code), f.SenderFault))
		}
	}
}

// indexOf returns the index of an entry by its ID, -1 if there is no such entry.
func indexOf(id *string, results []ordered.Result) int {
	if at, err := strconv.Atoi(aws.ToString(id)); err == nil && at >= 0 && at < len(results) {
		return at
	}
	return -1
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // SQS answers with it
	return hex.EncodeToString(sum[:])
}
