package payload

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/sink/row"
)

// compressions are the names of the compressions of packed messages.
var compressions = []string{"zstd", "gzip", "none"}

// Packer collects changes for packed messages.
type Packer struct {
	format, compression string

	text []byte // NDJSON
	ends []int  // offsets of the ends of its lines
	rows []row.Row
}

// Packer returns a Packer for a sink with mode=packed. It may use the memory behind scratch.
func (c *Config) Packer(scratch []byte) Packer {
	return Packer{format: c.Packed, compression: c.Compression, text: scratch[:0]}
}

// Scratch returns memory that another Packer may use, once the messages of this one are no
// longer needed.
func (k *Packer) Scratch() []byte { return k.text }

// Add adds a change. Its errors are permanent.
func (k *Packer) Add(p *format.Parsed) error {
	if k.format == "avro" {
		r, err := row.Of(p)
		if err == nil {
			k.rows = append(k.rows, r)
		}
		return err
	}
	text, err := json.AppendLine(k.text, p)
	if err == nil {
		k.text = append(text, '\n')
		k.ends = append(k.ends, len(k.text))
	}
	return err
}

// Message returns the data of a message with the changes [from, to), in the order in which
// they were added. Without compression it is memory of the Packer.
func (k *Packer) Message(from, to int) ([]byte, error) {
	if k.format == "avro" {
		return row.AvroFile(k.rows[from:to], map[string]string{"zstd": "zstandard", "gzip": "deflate", "none": "null"}[k.compression])
	}
	start := 0
	if from > 0 {
		start = k.ends[from-1]
	}
	return compress(k.compression, k.text[start:k.ends[to-1]])
}

// zstandard compresses whole messages. It may be used by several goroutines at once.
var zstandard, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest)) // only invalid options make it fail

// compress returns the compressed data. The result may be data itself.
func compress(with string, data []byte) ([]byte, error) {
	switch with {
	case "zstd":
		return zstandard.EncodeAll(data, nil), nil
	case "gzip":
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		if _, err := z.Write(data); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		if err := z.Close(); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		return out.Bytes(), nil
	}
	return data, nil
}
