package function

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive"
	"github.com/aerosink/aerosink/function/sink/pubsub"
)

// kindsOfSink is what an error tells about the kinds of sinks.
const kindsOfSink = "log:, pubsub://PROJECT/TOPIC and gs://BUCKET/PREFIX"

// ParseSink reads the URL of a sink:
//
//	pubsub://PROJECT/TOPIC?ordering=256
//	gs://BUCKET/PREFIX?format=ndjson&compression=gzip
//	log:
//
// Errors say what is wrong and never hold more than the URL.
func ParseSink(text string, o sink.Options) (sink.Spec, error) {
	u, err := url.Parse(text)
	if err != nil {
		return sink.Spec{}, fmt.Errorf("%q is no URL; write one of %s", text, kindsOfSink)
	}
	if u.User != nil || u.Fragment != "" {
		return sink.Spec{}, errors.New("a sink's URL has neither user nor fragment; write # as %23")
	}
	var s sink.Spec
	switch u.Scheme {
	case "pubsub":
		s, err = pubsub.Parse(u, o)
	case "gs":
		s, err = archive.Parse(u, o)
	case "log":
		s, err = sink.ParseLog(u, o)
	default:
		return sink.Spec{}, fmt.Errorf("%q: unknown kind of sink; the kinds are %s", text, kindsOfSink)
	}
	if err != nil {
		return sink.Spec{}, fmt.Errorf("%q: %w", text, err)
	}
	s.URL = u.Scheme + text[len(u.Scheme):] // in lower case
	return s, nil
}
