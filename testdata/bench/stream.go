package main

import (
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// distinct is how many records the stream is of.
const distinct = 4096

// stream is messages of the shape of the captures, ready to be written, which are
// shipped again and again.
type stream struct {
	bytes []byte
	ends  []int // of each message
}

func newStream() (*stream, error) {
	var p change.Packer
	p.Open(change.KindMap, change.Unordered)
	for _, key := range []string{"a", "b"} {
		p.Add(change.StringValue([]byte(key)))
		p.Add(change.IntegerValue(1))
	}
	p.Close()
	m, err := p.Value(change.KindMap)
	if err != nil {
		return nil, err
	}
	s := &stream{}
	for i := range distinct {
		c := change.Change{
			Namespace: "test", Set: "myset", Digest: change.Digest{byte(i), byte(i >> 8)}, Key: change.IntegerValue(int64(i)),
			Mode: change.Replace, Generation: 1, LUT: time.Now().UnixMilli(),
			Bins: []change.Bin{
				{Name: "name", Value: change.StringValue([]byte("somebody with a name of 38 characters!"))},
				{Name: "age", Value: change.IntegerValue(27)}, {Name: "mapTest", Value: m},
			},
		}
		if s.bytes, err = xdr.AppendMessage(s.bytes, &c, time.Now()); err != nil {
			return nil, err
		}
		s.ends = append(s.ends, len(s.bytes))
	}
	return s, nil
}

// size returns the bytes of a message.
func (s *stream) size() int { return len(s.bytes) / len(s.ends) }

// messages returns n messages from the i-th on, or fewer where the stream begins
// anew.
func (s *stream) messages(i, n int) (bytes []byte, got int) {
	i %= len(s.ends)
	got = min(n, len(s.ends)-i)
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.bytes[start:s.ends[i+got-1]], got
}
