package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
)

// description is a change in few words.
type description struct {
	key     string // the user key, or the digest if that is not known
	content string // bins, or the size of what cannot be read here
}

// describe describes the change in a message.
func describe(m *pubsubpb.PubsubMessage) description {
	d := description{key: m.Attributes["digest"]}
	name := m.Attributes["format"]
	parsed, err := formats.Parser{MetadataKey: metadataKey, Bins: true}.Parse(formats.MediaTypeOf(name), m.Data)
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		d.content = fmt.Sprintf("%d bytes of %s", len(m.Data), name)
		return d
	}
	c := &parsed[0].Change
	if key, err := json.AppendValue(nil, c.Key); err == nil && string(key) != "null" {
		d.key = strings.TrimPrefix(binText("", key), "=")
	}
	var bins []string
	for _, b := range c.Bins {
		text, err := json.AppendValue(nil, b.Value)
		if err != nil {
			text = []byte("…") // JSON has no form for it
		}
		bins = append(bins, binText(b.Name, text))
	}
	d.content = strings.Join(bins, " ")
	return d
}

// dataText returns the data of a message: as they are if they are text, else their size and
// first bytes.
func dataText(m *pubsubpb.PubsubMessage) string {
	const most = 32
	if utf8.Valid(m.Data) && !strings.ContainsFunc(string(m.Data), isControl) {
		return string(m.Data)
	}
	first, more := m.Data, ""
	if len(first) > most {
		first, more = first[:most], " …"
	}
	return fmt.Sprintf("%d bytes of %s: % x%s", len(m.Data), m.Attributes["format"], first, more)
}

// isControl reports whether r could change the state of a terminal.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
