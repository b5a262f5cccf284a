package config

import (
	"mime"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/format"
)

// mediaTypes reads the header Content-Type. It returns what requests have instead of the
// media types that it is another name of, by those.
func mediaTypes(s *section) map[string]string {
	name := contentTypeKey(s)
	if name == "" {
		return nil
	}
	texts := headerTexts(s, name)
	if len(texts) != 1 {
		s.Error(name, "want a single media type, for example application/json; charset=utf-8")
		return nil
	}
	own := family(texts[0])
	if len(own) == 0 {
		s.Error(name, "%q is not another name of a media type that the connector sends; leave the header out", texts[0])
		return nil
	}
	replaced := map[string]string{}
	for _, t := range own {
		replaced[t] = texts[0]
	}
	return replaced
}

// contentTypeKey returns the key of the header Content-Type, "" if there is none.
func contentTypeKey(s *section) string {
	for _, name := range s.Keys {
		if strings.EqualFold(name, contentType) {
			return name
		}
	}
	return ""
}

// family returns the media types of the connector's requests that mediaType is another name
// of.
func family(mediaType string) []string {
	base, _, err := mime.ParseMediaType(mediaType)
	if err != nil || !strings.Contains(base, "/") {
		return nil
	}
	if base == "avro/binary" {
		return []string{format.MediaAvro}
	}
	syntax := base[strings.LastIndexAny(base, "/+.")+1:] // json of application/vnd.elastic+json, msgpack of application/vnd.msgpack
	switch strings.TrimPrefix(syntax, "x-") {
	case "json":
		return []string{format.MediaJSON}
	case "ndjson", "jsonl", "jsonlines":
		return []string{format.MediaNDJSON}
	case "msgpack":
		return []string{format.MediaMessagePack}
	case "avro":
		return []string{format.MediaAvro}
	case "octet-stream", "xdr":
		return []string{format.MediaOctets, format.MediaXDR}
	}
	return nil
}

// sentTypes returns the media types of requests in a format: of one change, and of several.
// They do not depend on what the records contain.
func sentTypes(f format.Format) (one, several string) {
	record := []byte("\n")
	_, one = f.Seal(record, 1)
	_, several = f.Seal(record, 2)
	return one, several
}

// checkMediaTypes compares the header Content-Type of each destination with the media types
// of the changes that are routed there.
func checkMediaTypes(top *section, c *Config) {
	s := top.Dictionary("destinations")
	for _, name := range s.Keys {
		if d := c.Destinations[name]; len(d.MediaTypes) > 0 {
			checkMediaType(s.Sub(name).Dictionary("headers"), d, sentTo(name, c))
		}
	}
}

// sentTo returns the media types of the requests to a destination.
func sentTo(name string, c *Config) []string {
	var types []string
	for _, p := range c.used() {
		if !slices.Contains(p.Rule.Destinations, name) {
			continue
		}
		one, several := sentTypes(p.Format)
		types = append(types, one)
		if p.Stream.MaxRecords > 1 {
			types = append(types, several)
		}
	}
	if name == c.DeadLetters.Destination {
		types = append(types, format.MediaOctets)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func checkMediaType(s *section, d deliver.Config, types []string) {
	var replaced, kept []string
	for _, t := range types {
		if _, ok := d.MediaTypes[t]; ok {
			replaced = append(replaced, t)
		} else {
			kept = append(kept, t)
		}
	}
	name := contentTypeKey(s)
	switch {
	case len(types) == 0 || s.found.levelErrors: // another finding says why
	case len(replaced) == 0:
		s.Error(name, "not another name of %s, which is what requests have; leave the header out", strings.Join(kept, " or "))
	case len(kept) > 0:
		s.Warn(name, "sent instead of %s; requests with %s keep that, since it is not another name of it", strings.Join(replaced, " and "), strings.Join(kept, " or "))
	default:
		s.Warn(name, "sent instead of %s; leave the header out unless the receiver needs it", strings.Join(replaced, " and "))
	}
}
