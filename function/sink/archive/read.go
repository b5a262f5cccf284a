package archive

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
)

// ReadObject reads the object gs://BUCKET/NAME, which must have no more than limit
// bytes. It needs roles/storage.objectViewer on the bucket.
func ReadObject(ctx context.Context, gsURL string, limit int64) (content []byte, err error) {
	u, err := url.Parse(gsURL)
	if err != nil || u.Scheme != "gs" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%q is no object; write gs://BUCKET/NAME", gsURL)
	}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	}
	defer func() { _ = client.Close() }() // it only reads
	r, err := client.Bucket(u.Host).Object(strings.TrimPrefix(u.Path, "/")).NewReader(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	}
	defer func() { _ = r.Close() }()
	content, err = io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", gsURL, err)
	case int64(len(content)) > limit:
		return nil, fmt.Errorf("read %s: it has more than %d bytes", gsURL, limit)
	}
	return content, nil
}
