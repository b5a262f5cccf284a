package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

// Messages returns the messages in a file, or the captures if file is "".
func Messages(file string) ([]xdr.Frame, error) {
	if file == "" {
		return Captures()
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	frames, err := xdrtest.ReadFrames(f)
	if err == nil && len(frames) == 0 {
		err = errors.New("the file has no messages")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return frames, nil
}

// Captures returns the messages in testdata that were captured from a database.
func Captures() ([]xdr.Frame, error) {
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		return nil, err
	}
	var frames []xdr.Frame
	for _, v := range vectors {
		if !v.Captured() {
			continue
		}
		b, err := v.Bytes()
		if err != nil {
			return nil, err
		}
		frames = append(frames, b)
	}
	return frames, nil
}
