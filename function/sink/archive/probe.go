package archive

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/storage"
)

// create is the one permission that an archive needs.
const create = "storage.objects.create"

// probe finds out whether the bucket is there and may be written to.
func (s *settings) probe(ctx context.Context) error {
	client, err := storage.NewClient(ctx)
	if err != nil {
		return fmt.Errorf("probe bucket %s: %w", s.bucket, err)
	}
	defer func() { _ = client.Close() }() // it only asked
	handle := client.Bucket(s.bucket)
	granted, err := handle.IAM().TestPermissions(ctx, []string{create})
	if err != nil {
		// Emulators know buckets, and hardly permissions.
		if _, there := handle.Attrs(ctx); there == nil {
			return nil
		}
		return fmt.Errorf("probe bucket %s: %w; is it there, under this name?", s.bucket, err)
	}
	if !slices.Contains(granted, create) {
		return fmt.Errorf("bucket %s may not be written to: grant roles/storage.objectCreator on it to the account that this runs as", s.bucket)
	}
	return nil
}
