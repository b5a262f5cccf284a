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
	Kind   string          `json:"kind"`   // request, ack or stream
	Origin string          `json:"origin"` // capture or constructed
	Valid  bool            `json:"valid"`
	Error  string          `json:"error"`
	Action string          `json:"action"`
	Expect json.RawMessage `json:"expect"`
}

// Bytes returns the message.
func (v Vector) Bytes() ([]byte, error) {
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		return nil, fmt.Errorf("vector %s: %w", v.Name, err)
	}
	return b, nil
}

// Captured reports whether the vector is a request that a real node sent.
func (v Vector) Captured() bool { return v.Kind == "request" && v.Origin == "capture" }

const maxLine = 4 * xdr.MaxSize

// ReadVectors reads JSON lines.
func ReadVectors(r io.Reader) ([]Vector, error) {
	var vectors []Vector
	err := eachLine(r, func(line []byte) error {
		var v Vector
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		vectors = append(vectors, v)
		return nil
	})
	return vectors, err
}

// ReadFrames reads messages for [Source.Play]: each line is a message in hexadecimal, or a
// JSON line as of [ReadVectors]. It skips vectors that are invalid or replies, empty lines,
// and lines that begin with #.
func ReadFrames(r io.Reader) ([]xdr.Frame, error) {
	var frames []xdr.Frame
	err := eachLine(r, func(line []byte) error {
		v := Vector{Kind: "request", Valid: true, Hex: string(line)}
		if line[0] == '{' {
			v = Vector{}
			if err := json.Unmarshal(line, &v); err != nil {
				return err
			}
		}
		if !v.Valid || v.Kind == "ack" {
			return nil
		}
		b, err := v.Bytes()
		if err != nil {
			return err
		}
		cut, err := cutFrames(b)
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
