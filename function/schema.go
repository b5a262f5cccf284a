package function

import (
	"fmt"
	"os"

	"github.com/aerosink/aerosink/connector/format"
)

// readSchema reads the schema in the file path; without a path there is none.
func readSchema(path, metadataKey string) (*format.Avro, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	schema, err := format.NewAvro(string(text), metadataKey, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return schema, nil
}
