package function

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/function/sink/archive"
)

// schemaReader returns the text of the schema at a path or gs: URL; nil where it is
// not to be read yet.
type schemaReader func(path string) ([]byte, error)

const (
	schemaTimeout = 5 * time.Second
	schemaLimit   = 1 << 20 // bytes
)

func inCloud(path string) bool { return strings.HasPrefix(path, "gs://") }

// fetchSchema reads a schema wherever it is.
func fetchSchema(path string) ([]byte, error) {
	if !inCloud(path) {
		return os.ReadFile(path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), schemaTimeout)
	defer cancel()
	return archive.ReadObject(ctx, path, schemaLimit)
}

// localSchema leaves a schema in Cloud Storage for later.
func localSchema(path string) ([]byte, error) {
	if inCloud(path) {
		return nil, nil
	}
	return fetchSchema(path)
}

// parseSchema returns the schema at the path; without a path there is none.
func parseSchema(path, metadataKey string, read schemaReader) (*avro.Format, error) {
	if path == "" {
		return nil, nil
	}
	text, err := read(path)
	if err != nil || text == nil {
		return nil, err
	}
	schema, err := avro.New(string(text), metadataKey, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return schema, nil
}
