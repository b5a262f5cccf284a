package settings

import (
	"fmt"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format/avro"
)

// schemaReader returns the text of the schema at a path or URL, nil if it is not to be read
// yet.
type schemaReader func(path string) ([]byte, error)

const (
	schemaTimeout = 5 * time.Second
	schemaLimit   = 1 << 20 // bytes
)

// isURL reports whether a schema is an object in the cloud.
func isURL(path string) bool { return strings.Contains(path, "://") }

// parseSchema returns the schema at the path; nil without a path.
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
