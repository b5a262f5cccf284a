package sink

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aerosink/aerosink/connector/format"
)

// Letter says why a change is a dead letter, and where it came from.
type Letter struct {
	MediaType string    // of the change's bytes alone
	Reason    string    // never the data
	Offset    int       // of the fault in the body of the request, in bytes
	Request   string    // id of the request; "" if it has none
	Received  time.Time // when the request came
}

// letterLine is a letter as a line of JSON. The connector's dead letters have the
// same members, those that they have.
type letterLine struct {
	Time      time.Time `json:"time"`
	Reason    string    `json:"reason"`
	Offset    int       `json:"offset"`
	MediaType string    `json:"mediaType,omitempty"`
	Request   string    `json:"request,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Set       string    `json:"set,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	LUT       int64     `json:"lut,omitempty"`
	Message   []byte    `json:"message"`
}

// AppendLine appends the letter as one line of JSON, with the bytes of the change p
// in Base64 and the line's end.
func (l *Letter) AppendLine(dst []byte, p *format.Parsed) []byte {
	line := letterLine{
		Time: l.Received.UTC(), Reason: l.Reason, Offset: l.Offset, MediaType: l.MediaType, Request: l.Request,
		Namespace: p.Change.Namespace, Set: p.Change.Set, LUT: p.Change.LUT, Message: p.Data,
	}
	if line.Namespace != "" {
		line.Digest = p.Change.Digest.String()
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic("sink: a dead letter cannot be written as JSON: " + err.Error())
	}
	return append(append(dst, text...), '\n')
}

// ReadLetter reads a line that AppendLine, or the connector, has written: the letter
// and the bytes of the change. Of the connector's the media type is that of XDR.
func ReadLetter(line []byte) (Letter, []byte, error) {
	var l letterLine
	if err := json.Unmarshal(line, &l); err != nil {
		return Letter{}, nil, fmt.Errorf("read dead letter: %w", err)
	}
	if l.MediaType == "" {
		l.MediaType = format.MediaOctets
	}
	return Letter{MediaType: l.MediaType, Reason: l.Reason, Offset: l.Offset, Request: l.Request, Received: l.Time}, l.Message, nil
}
