package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/aerosink/aerosink/connector/deadletter"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// line is a line that is not blank.
type line struct {
	number int // from 1
	text   []byte
}

// parse reads lines: changes in JSON or flat JSON, and dead letters.
func (r *run) parse(lines []line) []item {
	items := make([]item, 0, len(lines))
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && !r.isLetter(lines[n].text) {
			n++
		}
		items = r.changes(items, lines[:n])
		if lines = lines[n:]; len(lines) > 0 {
			items = r.letter(items, lines[0])
			lines = lines[1:]
		}
	}
	return items
}

// changes reads lines of changes, as one body if it is one.
func (r *run) changes(items []item, lines []line) []item {
	var body []byte
	for _, l := range lines {
		body = append(append(body, l.text...), '\n')
	}
	parsed, err := r.parser(time.Time{}).Parse(format.MediaNDJSON, body)
	if err == nil && len(parsed) == len(lines) {
		for i, p := range parsed {
			items = append(items, item{parsed: p, line: lines[i].number})
		}
		return items
	}
	if len(lines) == 1 {
		return append(items, item{parsed: format.Parsed{Data: lines[0].text, Err: err}, line: lines[0].number})
	}
	for i := range lines {
		items = r.changes(items, lines[i:i+1])
	}
	return items
}

// parser returns the parser of what was received at the time.
func (r *run) parser(received time.Time) formats.Parser {
	p := r.Parser
	p.Limits = format.Limits{Inflated: maxLine, Depth: change.MaxDepth} // what was taken once is taken again
	if !received.IsZero() {
		p.Now = func() time.Time { return received }
	}
	return p
}

// isLetter reports whether the line is a dead letter: what the members of one are, and
// no change is, for it has neither the metadata of flat JSON nor the key of JSON.
func (r *run) isLetter(text []byte) bool {
	if !bytes.HasPrefix(text, []byte(`{"time":"`)) {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return false
	}
	_, message := members["message"]
	_, reason := members["reason"]
	metadata, key := members[r.Parser.MetadataKey], members["key"]
	return message && reason && !bytes.HasPrefix(metadata, []byte{'{'}) && !bytes.HasPrefix(key, []byte{'['})
}

// letter reads the bytes of a dead letter, which may be a request's whole body.
func (r *run) letter(items []item, l line) []item {
	letter, err := deadletter.ParseLine(l.text)
	if letter.MediaType == "" {
		letter.MediaType = format.MediaOctets
	}
	var parsed []format.Parsed
	if err == nil {
		parsed, err = r.parser(letter.Time).Parse(letter.MediaType, letter.Message)
	}
	if err == nil && len(parsed) == 0 {
		err = errors.New("the dead letter has no change")
	}
	if err != nil {
		parsed = []format.Parsed{{Data: letter.Message, Err: err}}
	}
	for _, p := range parsed {
		items = append(items, item{parsed: p, line: l.number, received: letter.Time})
	}
	return items
}
