package sink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/aerosink/aerosink/connector/format"
)

// logSink writes a line of metadata for each change: for trying things out. A log
// is no place that lasts, and no place for users' data, so keys and bins are left
// out unless the URL says ?data=true.
type logSink struct {
	mu   sync.Mutex
	out  interface{ Write([]byte) (int, error) }
	data bool
}

func parseLog(u *url.URL, q *query, o Options) (Spec, error) {
	if u.Host != "" || u.Path != "" || u.Opaque != "" {
		return Spec{}, errors.New("write log: or log:?data=true")
	}
	data := q.word("data", "false", "false", "true") == "true"
	return Spec{open: func(context.Context, string) (Sink, error) {
		return &logSink{out: o.Log, data: data}, nil
	}}, nil
}

// Put implements [Sink].
func (s *logSink) Put(_ context.Context, batch []format.Parsed) Verdicts {
	var lines []byte
	for i := range batch {
		c := &batch[i].Change
		lines = fmt.Appendf(lines, "%s namespace=%q set=%q digest=%s generation=%d lut=%d", c.Op, c.Namespace, c.Set, c.Digest, c.Generation, c.LUT)
		if s.data {
			lines = appendData(lines, &batch[i])
		}
		lines = append(lines, '\n')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.out.Write(lines)
	return all(len(batch), err)
}

// appendData appends the change as JSON, or the reason why it is none.
func appendData(lines []byte, p *format.Parsed) []byte {
	lines, err := p.AppendLine(append(lines, ' '))
	if err != nil {
		lines = append(lines, err.Error()...)
	}
	return lines
}

// Close implements [Sink].
func (s *logSink) Close() error { return nil }
