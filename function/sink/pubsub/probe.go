package pubsub

import (
	"context"
	"fmt"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const permission = "pubsub.topics.publish"

// probe finds out whether the topic may be published to. It publishes nothing.
func (s *settings) probe(ctx context.Context) error {
	t, err := dial(ctx, s.topicName, s.endpoint)
	if err != nil {
		return err
	}
	defer func() { _ = t.client.Close() }() // nothing is under way
	answer, err := t.client.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: s.topicName, Permissions: []string{permission}})
	switch {
	case status.Code(err) == codes.Unimplemented: // an emulator, which knows no permissions
		if _, err = t.client.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: s.topicName}); err == nil {
			return nil
		}
	case err == nil && len(answer.GetPermissions()) > 0:
		return nil
	case err == nil: // Pub/Sub says no more, lest one learns which topics there are
		return fmt.Errorf("%s is not there, or may not be published to; %s", s.topicName, s.remedy())
	}
	if code := status.Code(err); code == codes.NotFound || code == codes.PermissionDenied {
		return fmt.Errorf("look at %s: %w; %s", s.topicName, err, s.remedy())
	}
	return fmt.Errorf("look at %s: %w", s.topicName, err)
}

// remedy says what to do about a topic that cannot be used.
func (s *settings) remedy() string {
	return fmt.Sprintf("create it with gcloud pubsub topics create %s --project=%s, and grant the service account the role roles/pubsub.publisher "+
		"with gcloud pubsub topics add-iam-policy-binding %[1]s --project=%[2]s --member=serviceAccount:NAME --role=roles/pubsub.publisher", s.topicID, s.project)
}
