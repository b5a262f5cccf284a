package format

import (
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

	// Data shares the memory of the body, or of what it inflates to. Of an XDR message
	// that came without its proto header it is a copy with one.
	Data   []byte
	Format string // the name of the Format that Data is in, or should be

	// Offset is where in the body Data begins, in bytes, or the fault that Err names;
	// where that is in what was compressed, it is where the compressed part begins.
	Offset int

	// Err says why Data is no change. It is permanent; Change is then empty but
	// for what could be read before.
	Err error
}

// Parser reads request bodies. The zero Parser reads neither flat JSON nor Avro.
type Parser struct {
	// MetadataKey is the member that holds the metadata of flat JSON, and the field
	// or entry that holds that of an Avro container file. A JSON object that has an
	// object there is flat JSON, any other is JSON; one that is whole as both is
	// refused.
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

	// Room is where Parse puts what it returns, as far as its capacity goes. Nil is
	// none. What was in it is overwritten.
	Room []Parsed

	// Now is the time of receipt, from which XDR counts the seconds to a record's
	// expiry. Nil is time.Now.
	Now func() time.Time
}

// ErrMediaType is wrapped by the error for a media type that no format has. It
// is permanent.
var ErrMediaType = errors.New("unsupported media type")

// mediaTypes are all that Parse understands, aside from their aliases.
var mediaTypes = []string{MediaJSON, MediaNDJSON, MediaMessagePack, MediaAvro, MediaXDR, MediaOctets}

// keyKinds are the kinds of a user key; XDR has some more for blobs of a language.
var keyKinds = []change.Kind{change.KindNil, change.KindInteger, change.KindDouble, change.KindString, change.KindBlob}

// Parse reads the changes in body, whose media type must be in lower case and
// without parameters. Changes share body's memory.
//
// One change that cannot be read has its own Err. An error of Parse itself means
// that the whole body cannot be read; it is permanent and names a byte offset,
// never the data.
func (p Parser) Parse(mediaType string, body []byte) ([]Parsed, error) {
	b := p.batch(body)
	var err error
	switch mediaType {
	case MediaJSON:
		b.smallest = smallestJSON
		err = b.json(body)
	case MediaNDJSON:
		b.smallest = smallestJSON
		err = b.lines(body)
	case MediaMessagePack, "application/msgpack":
		b.smallest = smallestPack
		err = b.messagePack(body)
	case MediaAvro, "avro/binary":
		b.smallest = smallestAvro
		err = b.avro(body)
	case MediaXDR, MediaOctets:
		b.smallest = smallestXDR
		err = b.xdr(body)
	default:
		err = change.Permanent(fmt.Errorf("%w %q; understood are %s", ErrMediaType, mediaType, strings.Join(mediaTypes, ", ")))
	}
	if err != nil {
		return nil, err
	}
	return b.parsed, nil
}
