// Package payload says what the messages of a sink hold: a change as it came or in another
// format, or several changes packed into one message. The sinks for Pub/Sub, SQS and Kinesis
// share it.
//
//  1. [Parse] reads the parameters data, mode, packed and compression of a sink's URL.
//  2. [Config.Rewrite] encodes a change that does not stay as it came, and a [Packer] packs
//     several.
//  3. [AppendAttributes] lists the metadata of a change, for services whose messages have
//     attributes of text.
package payload

import (
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
)

// AsReceived is the value of data= that leaves a change in the format it came in.
const AsReceived = "as-received"

// Config is what the URL of a sink says about its messages.
type Config struct {
	Format      string // that changes are re-encoded in; "" leaves them as they came
	Packed      string // format of several changes in one message, ndjson or avro; "" is none
	Compression string // of packed messages: zstd, gzip or none

	rewrite func(dst []byte, p *format.Parsed) ([]byte, error)
}

// Parse parses the parameters data, mode, packed and compression. A sink may have values of
// data= that are its own, besides those that all have.
func Parse(q *sink.Query, o sink.Options, absent string, own ...string) Config {
	words := append([]string{AsReceived, "json", "flat-json", "message-pack", "xdr", "avro"}, own...)
	name := q.Word("data", absent, words...)
	mode := q.Word("mode", "single", "single", "packed")
	packed := q.Word("packed", "ndjson", "ndjson", "avro")
	c := Config{Compression: q.Word("compression", "zstd", compressions...)}
	switch {
	case mode == "packed" && name != absent:
		q.Fail("data=%s is for mode=single; with mode=packed, use packed= to say what a message holds", name)
	case mode == "packed":
		c.Packed = packed
	case name != AsReceived:
		c.Format = name
		c.rewrite = rewriter(name, o)
	}
	return c
}

// Bins reports whether the sink reads the bins of changes.
func (c *Config) Bins() bool { return c.Format != "" || c.Packed != "" }

// Rewrites reports whether a change is re-encoded. Dead letters never are. Avro always is,
// since what came may have another schema.
func (c *Config) Rewrites(p *format.Parsed) bool {
	return c.rewrite != nil && (c.Format != p.Format || c.Format == avro.Name)
}

// Rewrite appends a change in c.Format. Errors are permanent.
func (c *Config) Rewrite(dst []byte, p *format.Parsed) ([]byte, error) { return c.rewrite(dst, p) }

// rewriter returns a function that re-encodes changes in a format, or as a row.
func rewriter(name string, o sink.Options) func(dst []byte, p *format.Parsed) ([]byte, error) {
	var f format.Format = o.Avro
	switch {
	case name == "bigquery":
		return func(dst []byte, p *format.Parsed) ([]byte, error) { return row.AppendBigQuery(dst, &p.Change) }
	case name != "avro":
		f, _ = formats.ByName(name, o.MetadataKey) // Word let no other name through
	case o.Avro == nil:
		return func(dst []byte, p *format.Parsed) ([]byte, error) {
			r, err := row.Of(p)
			if err != nil {
				return nil, err
			}
			return row.AppendAvro(dst, &r), nil
		}
	}
	return func(dst []byte, p *format.Parsed) ([]byte, error) {
		record, err := f.Append(dst, &p.Change)
		if err != nil {
			return nil, err
		}
		data, _ := f.Seal(record, 1)
		return data, nil
	}
}
