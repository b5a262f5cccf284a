package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/aerosink/aerosink/function/sink"
)

// probe checks that the queue exists and is a FIFO queue. It sends nothing, so it cannot say
// whether the program may send: SQS has no way to ask for that.
func (c *queueConfig) probe(ctx context.Context) error {
	cl, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer cl.close()
	attributes, err := cl.attributes(ctx, types.QueueAttributeNameFifoQueue, types.QueueAttributeNameFifoThroughputLimit, types.QueueAttributeNameMaximumMessageSize)
	if err != nil {
		return fmt.Errorf("check queue %s: %w", c.name, c.explain(err))
	}
	if attributes[string(types.QueueAttributeNameFifoQueue)] != "true" {
		return fmt.Errorf("check queue %s: it is not a FIFO queue; %s", c.name, c.howToCreate())
	}
	return cl.concerns(attributes)
}

// explain adds to an error of GetQueueAttributes what to do.
func (c *queueConfig) explain(err error) error {
	var missing *types.QueueDoesNotExist
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w; %s", err, c.howToCreate())
	case forbiddenCodes[codeOf(err)]:
		return fmt.Errorf("%w; %s, or do without this check: sending needs sqs:SendMessage alone", err, c.howToAllow("sqs:GetQueueAttributes"))
	}
	return err
}

// fullSize is the MaximumMessageSize of queues that are created today.
const fullSize = callBytes

// concerns returns what about a queue that works is probably not as it was meant, as a
// [*sink.Concern].
func (c *client) concerns(attributes map[string]string) error {
	var found, set []string
	if attributes[string(types.QueueAttributeNameFifoThroughputLimit)] == "perQueue" && !c.inOneGroup() {
		found = append(found, "it takes 300 calls a second in all groups together")
		set = append(set, "DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId")
	}
	if n, err := strconv.Atoi(attributes[string(types.QueueAttributeNameMaximumMessageSize)]); err == nil && n < fullSize {
		found = append(found, fmt.Sprintf("it takes messages up to %d bytes, and larger changes are dead letters", n))
		set = append(set, fmt.Sprintf("MaximumMessageSize=%d", fullSize))
	}
	if found == nil {
		return nil
	}
	return &sink.Concern{Text: fmt.Sprintf("queue %s: %s; change that with aws sqs set-queue-attributes --region %s --queue-url %s --attributes %s",
		c.name, strings.Join(found, ", and "), c.region, c.queueURL, strings.Join(set, ","))}
}
