package sqs

import (
	"errors"
	"slices"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/failures"
)

func encode(t testing.TB, query string, b sink.Batch) *encoder {
	t.Helper()
	awstest.Start(t)
	q, ok := open(t, awstest.QueueSink+query, sink.Options{}).(*queue)
	if !ok {
		t.Fatal("another sink")
	}
	e := newEncoder(q, b)
	e.encode()
	return e
}

// A message has the IDs of its changes, in the order of the batch, also where a change in
// between has no message.
func TestEncoder_ids(t *testing.T) {
	bad := packable(5, 1)
	bad.Format, bad.Change.Set = "xdr", "\xff"
	for _, query := range []string{"", "?mode=packed", "?mode=packed&packed=avro&ordering=3"} {
		b := batchOf(packable(5, 2), bad, packable(1, 1), packable(21, 1), packable(5, 3), packable(37, 9))
		e := encode(t, query, b)
		var order []int32
		for i, m := range e.messages {
			s := e.spans[i]
			for at := s.from; at < s.to; at++ {
				p := e.change(at)
				if m.IDs[at-s.from] != failures.IDOf(p) {
					t.Errorf("%s: message %d has the ID of another change than %d", query, i, e.order[at])
				}
				if group := p.Change.Digest.Partition() % len(e.groups); m.Group != group || *m.Entry.MessageGroupId != e.groups[group] {
					t.Errorf("%s: message %d is in group %d, not %d", query, i, m.Group, group)
				}
				order = append(order, e.order[at])
			}
			if len(m.IDs) != s.to-s.from || m.Size != m.Entry.size {
				t.Errorf("%s: message %d: %+v", query, i, m)
			}
		}
		for i := range b.Changes {
			if e.verdicts == nil || e.verdicts[i] == nil {
				continue
			}
			order = append(order, int32(i))
			if !change.IsPermanent(e.verdicts[i]) {
				t.Errorf("%s: verdict %v", query, e.verdicts[i])
			}
		}
		if packed := query != ""; packed == (e.verdicts == nil) {
			t.Errorf("%s: verdicts %v, want one on the change that cannot be packed", query, e.verdicts)
		}
		slices.Sort(order)
		if !slices.Equal(order, []int32{0, 1, 2, 3, 4, 5}) {
			t.Errorf("%s: changes %d have a message or a verdict", query, order)
		}
	}
}

// Packed messages of which only later changes differ are told apart.
func TestEncoder_packedContent(t *testing.T) {
	contents := map[uint64]bool{}
	for _, second := range []format.Parsed{packable(1, 2), packable(1, 3), packable(1, 2)} {
		e := encode(t, "?mode=packed", batchOf(packable(1, 1), second))
		contents[e.messages[0].Content] = true
	}
	if len(contents) != 2 {
		t.Errorf("%d contents, want 2", len(contents))
	}
}

// A dead letter that could not be read has no known record, and waits for none.
func TestEncoder_unreadDeadLetter(t *testing.T) {
	b := batchOf(format.Parsed{Data: []byte("{"), Err: errors.New("unread")})
	b.DeadLetters = []sink.DeadLetter{{Offset: sink.UnknownOffset}}
	if m := encode(t, "?mode=packed", b).messages; len(m) != 1 || m[0].IDs[0].Record != 0 {
		t.Errorf("messages %+v", m)
	}
}

// Allocations of a change: its message, body, ID, values and map of attributes.
func TestEncoder_allocations(t *testing.T) {
	if changetest.Raced {
		t.Skip("the race detector allocates")
	}
	for query, most := range map[string]float64{"": 14, "?mode=packed": 1} {
		b := kilobytes(500)
		q := encode(t, query, b).queue
		n := testing.AllocsPerRun(20, func() { newEncoder(q, b).encode() })
		if per := n / float64(len(b.Changes)); per > most {
			t.Errorf("%q: %.2f allocations for a change, want at most %v", query, per, most)
		}
	}
}
