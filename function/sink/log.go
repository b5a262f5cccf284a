package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
)

// logSink writes a line of metadata for each change. It is for trying things out: a log
// is not durable and should not hold users' data, so keys and bins are left out unless
// the URL has ?data=true.
type logSink struct {
	mu   sync.Mutex
	out  io.Writer
	data bool
}

// ParseLog reads the URL log: or log:?data=true.
func ParseLog(u *url.URL, o Options) (Spec, error) {
	q := NewQuery(u)
	if u.Host != "" || u.Path != "" || u.Opaque != "" {
		return Spec{}, errors.New("want log: or log:?data=true")
	}
	data := q.Word("data", "false", "false", "true") == "true"
	return Spec{Bins: data, New: func(context.Context) (Sink, error) {
		return &logSink{out: o.Log, data: data}, nil
	}}, q.End()
}

// Put implements [Sink].
func (s *logSink) Put(_ context.Context, b Batch) Verdicts {
	var lines []byte
	for i := range b.Changes {
		c := &b.Changes[i].Change
		lines = fmt.Appendf(lines, "%s namespace=%q set=%q digest=%s generation=%d lut=%d", c.Op, c.Namespace, c.Set, c.Digest, c.Generation, c.LUT)
		if s.data {
			lines = appendData(lines, &b.Changes[i])
		}
		lines = append(lines, '\n')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.out.Write(lines)
	return All(len(b.Changes), err)
}

// appendData appends the change as JSON, or the error if JSON cannot express it.
func appendData(lines []byte, p *format.Parsed) []byte {
	lines, err := json.AppendLine(append(lines, ' '), p)
	if err != nil {
		lines = append(lines, err.Error()...)
	}
	return lines
}

// Close implements [Sink].
func (s *logSink) Close() error { return nil }
