package format

import "fmt"

// ByName returns the format of that name, for who writes changes anew: json,
// flat-json, message-pack or xdr. Map keys that are no strings are made so, and
// metadataKey is the member that holds the metadata of flat JSON. Avro has no
// format without a schema: see [NewAvro].
func ByName(name, metadataKey string) (Format, error) {
	formats := []Format{
		JSON{StringifyMapKeys: true}, FlatJSON{MetadataKey: metadataKey, StringifyMapKeys: true}, MessagePack{}, XDR{},
	}
	for _, f := range formats {
		if f.Name() == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no format is called %q; write json, flat-json, message-pack or xdr", name)
}

// MediaTypeOf returns the media type of one change alone in the format of that
// name, "" for a name that no format has.
func MediaTypeOf(name string) string {
	switch name {
	case JSON{}.Name(), FlatJSON{}.Name():
		return MediaJSON
	case MessagePack{}.Name():
		return MediaMessagePack
	case (*Avro)(nil).Name():
		return MediaAvro
	case XDR{}.Name():
		return MediaOctets
	}
	return ""
}
