package xdrtest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Vector is a line of testdata/xdr.jsonl: a message, whether it was captured or
// constructed, and what a receiver must do with it.
type Vector struct {
	Name   string          `json:"name"`
	Hex    string          `json:"hex"`
	Kind   string          `json:"kind"`   // request, ack or stream; request if missing
	Origin string          `json:"origin"` // capture or constructed
	Valid  bool            `json:"valid"`  // true if missing
	Error  string          `json:"error"`
	Action string          `json:"action"`
	Expect json.RawMessage `json:"expect"`
}

// parseVector parses a JSON line.
func parseVector(line []byte) (Vector, error) {
	v := Vector{Kind: "request", Valid: true}
	err := json.Unmarshal(line, &v)
	return v, err
}

// Bytes returns the message.
func (v Vector) Bytes() ([]byte, error) {
	if v.Hex == "" {
		return nil, v.wrap(errors.New(`missing member "hex"`))
	}
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		return nil, v.wrap(fmt.Errorf("not hexadecimal: %w", err))
	}
	return b, nil
}

// wrap adds the name of the message, if it has one, to an error.
func (v Vector) wrap(err error) error {
	if v.Name == "" {
		return err
	}
	return fmt.Errorf("message %q: %w", v.Name, err)
}

// frames returns the frames in the message.
func (v Vector) frames() ([]xdr.Frame, error) {
	b, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	frames, err := cutFrames(b)
	if err != nil {
		return nil, v.wrap(err)
	}
	return frames, nil
}

// Captured reports whether the vector is a request that a real node sent.
func (v Vector) Captured() bool { return v.Kind == "request" && v.Origin == "capture" }

const maxLine = 4 * xdr.MaxSize

// ReadVectors reads JSON lines.
func ReadVectors(r io.Reader) ([]Vector, error) {
	var vectors []Vector
	err := eachLine(r, func(line []byte) error {
		v, err := parseVector(line)
		vectors = append(vectors, v)
		return err
	})
	return vectors, err
}

// ReadFrames reads messages for [Source.Play]: each line is a message in hexadecimal, or a
// JSON line as of [ReadVectors], of which only the member "hex" is required. It skips
// vectors that are invalid or replies, empty lines, and lines that begin with #.
func ReadFrames(r io.Reader) ([]xdr.Frame, error) {
	var frames []xdr.Frame
	err := eachLine(r, func(line []byte) (err error) {
		v := Vector{Hex: string(line), Valid: true}
		if line[0] == '{' {
			v, err = parseVector(line)
		}
		if err != nil || !v.Valid || v.Kind == "ack" {
			return err
		}
		cut, err := v.frames()
		frames = append(frames, cut...)
		return err
	})
	return frames, err
}

func cutFrames(b []byte) ([]xdr.Frame, error) {
	var frames []xdr.Frame
	for r := xdr.NewReader(bytes.NewReader(b), xdr.MaxSize); ; {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
}

func eachLine(r io.Reader, do func(line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s.Err()
}
