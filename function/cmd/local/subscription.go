package main

import (
	"context"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// subscription is a subscription of the embedded Pub/Sub.
type subscription struct {
	client *pubsub.Client
	name   string
}

// pull waits for messages, and returns them. There may be none.
func (s *subscription) pull(ctx context.Context) ([]*pubsubpb.PubsubMessage, error) {
	const most = 1000
	got, err := s.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: s.name, MaxMessages: most})
	if err != nil || len(got.ReceivedMessages) == 0 {
		return nil, err
	}
	var messages []*pubsubpb.PubsubMessage
	var acks []string
	for _, m := range got.ReceivedMessages {
		messages = append(messages, m.Message)
		acks = append(acks, m.AckId)
	}
	return messages, s.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: s.name, AckIds: acks})
}
