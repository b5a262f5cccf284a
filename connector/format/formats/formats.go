// Package formats selects a wire format: by name for writing ([ByName]), by media
// type for reading ([Parser]). It also has the
// tests of every format, because they read what the formats write.
//
// Parse goes through these steps:
//
//  1. the media type selects the Parse of a format's package;
//  2. that creates a format.Collector and calls Begin for each change, which checks how
//     many there may be;
//  3. the package's reader fills in the change;
//  4. End checks its size and depth, and keeps its bytes or its error.
package formats

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/avro"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/msgpack"
	"github.com/aerosink/aerosink/connector/format/raw"
)

// ByName returns the format of that name for writing parsed changes again: json,
// flat-json, message-pack or xdr. Map keys that are not strings are converted to
// strings, and metadataKey is the member that holds the metadata of flat JSON. Avro
// has no format without a schema: see avro.New.
func ByName(name, metadataKey string) (format.Format, error) {
	formats := []format.Format{
		json.Format{StringifyMapKeys: true}, json.Flat{MetadataKey: metadataKey, StringifyMapKeys: true}, msgpack.Format{}, raw.Format{},
	}
	for _, f := range formats {
		if f.Name() == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("unknown format %q: want json, flat-json, message-pack or xdr", name)
}

// MediaTypeOf returns the media type of a single change in the format of that
// name, "" for a name that no format has.
func MediaTypeOf(name string) string {
	switch name {
	case json.Name, json.FlatName:
		return format.MediaJSON
	case msgpack.Name:
		return format.MediaMessagePack
	case avro.Name:
		return format.MediaAvro
	case raw.Name:
		return format.MediaOctets
	}
	return ""
}

// CheckMediaType returns nil for a media type that [Parser.Parse] accepts, and for any other
// the error that Parse returns, so that a body can be refused before it is read. The media
// type must be in lower case and without parameters.
func CheckMediaType(mediaType string) error {
	if ownMediaType(mediaType) == "" {
		return change.Permanent(fmt.Errorf("%w %q: want %s", format.ErrMediaType, mediaType, MediaTypes()))
	}
	return nil
}

// Parser reads request bodies in every format. The zero Parser reads neither flat
// JSON nor Avro.
type Parser struct {
	// MetadataKey is the member that holds the metadata of flat JSON, and the field
	// or entry that holds the metadata of an Avro container file. A JSON object in
	// which this member is an object is flat JSON, any other is JSON. One that is
	// complete as both is an error.
	MetadataKey string

	// Bins asks for the bins of JSON as well. Without it only the metadata is read,
	// and of the bins only syntax and names are checked. The binary formats are always read
	// to the end.
	Bins bool

	// Avro is the schema of bare data. Nil reads only container files, which contain
	// their schema.
	Avro *avro.Format

	// Limits are the limits of a body.
	Limits format.Limits

	// Buffer is memory for the result, used if its capacity suffices. It may be nil.
	// Its content is overwritten.
	Buffer []format.Parsed

	// Now is the time of receipt, from which XDR counts the seconds to a record's
	// expiry. Nil is time.Now.
	Now func() time.Time
}

// mediaTypes are the media types that Parse accepts: our own, and after each its aliases.
// None of those for lines of JSON is registered, and all are common.
var mediaTypes = [][]string{
	{format.MediaJSON},
	{format.MediaNDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"},
	{format.MediaMessagePack, "application/msgpack", "application/vnd.msgpack"},
	{format.MediaAvro, "avro/binary"},
	{format.MediaXDR},
	{format.MediaOctets},
}

// MediaTypes returns the media types that [Parser.Parse] accepts, for an error.
func MediaTypes() string { return strings.Join(slices.Concat(mediaTypes...), ", ") }

// ownMediaType returns our own name of a media type, "" for one that Parse does not accept.
func ownMediaType(mediaType string) string {
	for _, names := range mediaTypes {
		if slices.Contains(names, mediaType) {
			return names[0]
		}
	}
	return ""
}

// Parse reads the changes in body, whose media type must be in lower case and
// without parameters. The changes share body's memory.
//
// A change that cannot be read has its own Err. An error of Parse itself means
// that the whole body cannot be read; it is permanent and names a byte offset,
// never the data.
func (p Parser) Parse(mediaType string, body []byte) ([]format.Parsed, error) {
	if err := CheckMediaType(mediaType); err != nil {
		return nil, err
	}
	own, coding := ownMediaType(mediaType), contentCoding(body)
	if coding != "" && own != format.MediaAvro { // data of Avro may begin like that too
		return nil, undeclared(coding)
	}
	parsed, err := p.parse(own, body)
	if coding != "" && err != nil {
		return nil, undeclared(coding)
	}
	return parsed, err
}

func (p Parser) parse(mediaType string, body []byte) ([]format.Parsed, error) {
	o := format.Options{MetadataKey: p.MetadataKey, Bins: p.Bins, Limits: p.Limits, Buffer: p.Buffer, Now: p.Now}
	switch mediaType {
	case format.MediaJSON:
		return json.Parse(body, o)
	case format.MediaNDJSON:
		return json.ParseLines(body, o)
	case format.MediaMessagePack:
		return msgpack.Parse(body, o)
	case format.MediaAvro:
		return avro.Parse(body, o, p.Avro)
	}
	return raw.Parse(body, o)
}

// contentCoding returns the content coding of a body that begins like a file of gzip or
// zstd, else "".
func contentCoding(body []byte) string {
	switch {
	case bytes.HasPrefix(body, []byte("\x1f\x8b\x08")):
		return "gzip"
	case bytes.HasPrefix(body, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	}
	return ""
}

// undeclared returns the error for a compressed body whose request does not say so.
func undeclared(coding string) error {
	return format.ErrorAt(0, "%w: the body is compressed; send it with Content-Encoding: %s", format.ErrContentCoding, coding)
}
