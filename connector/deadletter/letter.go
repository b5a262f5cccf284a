// Package deadletter defines the format of dead letters: changes, or malformed messages, that
// can never be delivered or stored. The connector writes them to a [File] or a destination,
// the function to a bucket or a topic. A replay reads them.
package deadletter

import (
	"encoding/json"
	"fmt"
	"time"
)

// Letter is one dead letter: the received bytes, why they are a dead letter, and what is
// known about their change.
type Letter struct {
	Time   time.Time // when it became a dead letter, or when the request arrived
	Reason string    // contains no user data
	Offset *int      // of the error in the received data, in bytes; nil if unknown

	MediaType string // of Message; "" is an XDR message
	Request   string // ID of the function's request; "" if it has none

	Namespace string // "" if it could not be read; then so are the next three
	Set       string
	Digest    []byte
	LUT       int64 // last update time, Unix milliseconds; 0 if unknown

	Message []byte // nil if it was too large to be kept
	Size    int    // of a message that was not kept, in bytes
}

// line is a Letter as a line of JSON. Byte slices are in Base64.
type line struct {
	Time      time.Time `json:"time"`
	Reason    string    `json:"reason"`
	Offset    *int      `json:"offset,omitempty"`
	MediaType string    `json:"mediaType,omitempty"`
	Request   string    `json:"request,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Set       string    `json:"set,omitempty"`
	Digest    []byte    `json:"digest,omitempty"`
	LUT       int64     `json:"lut,omitempty"`
	Message   []byte    `json:"message"`
	Size      int       `json:"size,omitempty"`
}

// AppendLine appends l as one line of JSON, with its newline:
//
//	{"time":"…","reason":"…","offset":8,"namespace":"test","digest":"…","lut":1734388704784,"message":"…"}
func (l *Letter) AppendLine(dst []byte) []byte {
	j := line(*l)
	j.Time = j.Time.UTC()
	text, err := json.Marshal(j)
	if err != nil {
		panic("deadletter: a dead letter cannot be written as JSON: " + err.Error())
	}
	return append(append(dst, text...), '\n')
}

// ParseLine parses a line written by AppendLine. Its errors do not contain data of the line.
func ParseLine(text []byte) (Letter, error) {
	var j line
	if err := json.Unmarshal(text, &j); err != nil {
		return Letter{}, fmt.Errorf("read dead letter: %w", err)
	}
	return Letter(j), nil
}
