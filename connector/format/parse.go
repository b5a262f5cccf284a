package format

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

// Parsed is a change and the bytes of the body it was read from, in its own
// format and without what joins it to its neighbours.
type Parsed struct {
	Change change.Change
	Data   []byte // shares the memory of the body, or of what it inflates to
	Format string // the name of the Format that Data is in; "" where that cannot be told
	Offset int    // of the fault in the body where Err says one, in bytes, else of Data

	// Err says why Data is no change. It is permanent; Change is then empty but
	// for what could be read before.
	Err error
}

// Parser reads request bodies. The zero Parser reads neither flat JSON nor Avro.
type Parser struct {
	// MetadataKey is the member that holds the metadata of flat JSON, and the field
	// or entry that holds that of an Avro container file. A JSON object that has it
	// is flat JSON, any other is JSON.
	MetadataKey string

	// Bins asks for the bins of JSON as well. Without it only the metadata is read,
	// and the bins are checked for no more than their syntax. The binary formats
	// are always read to the end.
	Bins bool

	// Avro is the schema of data that come without one. Nil reads none but
	// container files, which bring their own.
	Avro *Avro

	// Limits bound what a body may hold.
	Limits Limits

	// Now is the time of receipt, from which XDR counts the seconds to a record's
	// expiry. Nil is time.Now.
	Now func() time.Time
}

// Limits bound what Parse makes of a body. A zero one is the default.
type Limits struct {
	Inflated int // bytes that compressed parts of the body inflate to; 64 MiB
	Changes  int // in a body; as many as it has room for
	Change   int // bytes of one change; as many as the body has
	Depth    int // of lists and maps in each other; change.MaxDepth
}

// ErrTooLarge is wrapped by the error for a body or a change that is over one of
// the Limits, which the error names. It is permanent.
var ErrTooLarge = errors.New("too large")

// ErrMediaType is wrapped by the error for a media type that no format has. It
// is permanent.
var ErrMediaType = errors.New("unsupported media type")

// mediaTypes are all that Parse understands, aside from their aliases.
var mediaTypes = []string{MediaJSON, MediaNDJSON, MediaMessagePack, MediaAvro, MediaXDR, MediaOctets}

// keyKinds are the kinds of a user key; XDR has some more for blobs of a language.
var keyKinds = []change.Kind{change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBlob}

// mostChanges returns how many changes a body of size bytes can hold: each has its digest,
// of 20 bytes. A body of more is refused as a whole, for to say of each part of it
// that it is no change would take many times the body's memory.
func mostChanges(size int) int { return 64 + size/len(change.Digest{}) }

const tooMany = "more changes than the body has room for"

// maxInflated bounds what the parts of one request body inflate to, in bytes,
// whatever they claim.
const maxInflated = 64 << 20

// Parse reads the changes in body, whose media type must be in lower case and
// without parameters. Changes share body's memory.
//
// One change that cannot be read has its own Err. An error of Parse itself means
// that the whole body cannot be read; it is permanent and names a byte offset,
// never the data.
func (p Parser) Parse(mediaType string, body []byte) ([]Parsed, error) {
	switch mediaType {
	case MediaJSON:
		return p.json(body)
	case MediaNDJSON:
		return p.lines(body)
	case MediaMessagePack, "application/msgpack":
		return messagePack(body)
	case MediaAvro, "avro/binary":
		return p.avro(body)
	case MediaXDR, MediaOctets:
		return p.xdr(body)
	}
	return nil, change.Permanent(fmt.Errorf("%w %q; understood are %s", ErrMediaType, mediaType, strings.Join(mediaTypes, ", ")))
}

// lines reads a JSON object from each line. Lines stand for themselves: one that
// cannot be read says nothing about the next.
func (p Parser) lines(body []byte) ([]Parsed, error) {
	most := mostChanges(len(body))
	parsed := make([]Parsed, 0, min(bytes.Count(body, []byte{'\n'})+1, most))
	d := newJSONDecoder()
	for at := 0; at < len(body); {
		end := len(body)
		if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := bytes.Trim(body[at:end], " \t\r\n")
		if len(line) > 0 {
			if len(parsed) == most {
				return nil, fault(at, tooMany)
			}
			d.reset(line, at)
			parsed = append(parsed, p.line(d, line))
		}
		at = end
	}
	return parsed, nil
}

func (p Parser) line(d *jsonDecoder, line []byte) Parsed {
	object, err := d.next()
	switch {
	case err != nil:
	case len(object) != len(line):
		err = d.fault("more than one JSON value on the line")
	case object[0] != '{':
		err = d.fault("a line holds one JSON object")
	}
	if err != nil {
		return Parsed{Data: line, Err: err}
	}
	return p.object(d, object)
}

// json reads one JSON object, several one after another, or arrays of them.
func (p Parser) json(body []byte) ([]Parsed, error) {
	var parsed []Parsed
	d := newJSONDecoder()
	d.reset(body, 0)
	for {
		value, err := d.nextElement()
		switch {
		case err != nil:
			return nil, err
		case value == nil:
			return parsed, nil
		case len(parsed) == mostChanges(len(body)):
			return nil, d.fault(tooMany)
		}
		parsed = append(parsed, p.object(d, value))
	}
}

// object makes a change of one JSON value whose syntax was checked.
func (p Parser) object(d *jsonDecoder, object []byte) Parsed {
	parsed := Parsed{Data: object}
	r := jsonReader{object: object, at: d.offset() - len(object), metadataKey: p.MetadataKey, bins: p.Bins, names: &d.names}
	if metadata, ok := r.metadata(); ok {
		parsed.Format = FlatJSON{}.Name()
		parsed.Err = r.flatJSON(metadata, &parsed.Change)
	} else {
		parsed.Format = JSON{}.Name()
		parsed.Err = r.json(&parsed.Change)
	}
	return parsed
}
