package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr"
)

// ledger knows what went in, and holds what comes out against it.
type ledger struct {
	format     format.Format
	begin, end time.Time

	entries []*entry
	of      map[identity][]*entry
	missing int // entries that did not come out of Pub/Sub yet
	dropped int // monitor records, which go nowhere
}

// entry is a change that went in. Messages that are the same, byte for byte, are
// one.
type entry struct {
	change    change.Change
	published bool
	archived  bool
}

// identity tells the changes of records apart that a database ships. Constructed
// messages may share one.
type identity struct {
	digest     change.Digest
	op         change.Op
	generation uint32
	lut        int64
}

func identify(c *change.Change) identity { return identity{c.Digest, c.Op, c.Generation, c.LUT} }

func newLedger(frames []xdr.Frame, formatName string) (*ledger, error) {
	f, err := formatOf(formatName)
	if err != nil {
		return nil, err
	}
	l := &ledger{format: f, begin: time.Now(), of: map[identity][]*entry{}}
	d := xdr.NewDecoder(xdr.MaxSize, func() time.Time { return l.begin })
	entered := map[string]bool{}
	for i, frame := range frames {
		e := new(entry)
		if err := d.Decode(frame, &e.change); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		switch {
		case e.change.Set == xdr.MonitorSet:
			l.dropped++
		case !entered[string(frame)]:
			entered[string(frame)] = true
			id := identify(&e.change)
			l.entries = append(l.entries, e)
			l.of[id] = append(l.of[id], e)
			l.missing++
		}
	}
	return l, nil
}

// shipped notes that every message has its reply.
func (l *ledger) shipped() { l.end = time.Now() }

// message checks a message from Pub/Sub.
func (l *ledger) message(m *pubsubpb.PubsubMessage) error {
	e, err := l.find(m.Data)
	if err != nil {
		return fmt.Errorf("message %s from Pub/Sub: %w", m.MessageId, err)
	}
	for name, want := range expectedAttributes(&e.change) {
		if got := m.Attributes[name]; got != want {
			return fmt.Errorf("message %s from Pub/Sub: attribute %s is %q, want %q", m.MessageId, name, got, want)
		}
	}
	if want := strconv.Itoa(e.change.Digest.Partition() % shards); m.OrderingKey != want {
		return fmt.Errorf("message %s from Pub/Sub: ordering key %q, want %q", m.MessageId, m.OrderingKey, want)
	}
	if !e.published {
		e.published = true
		l.missing--
	}
	return nil
}

func expectedAttributes(c *change.Change) map[string]string {
	a := map[string]string{
		"namespace": c.Namespace, "set": c.Set, "op": c.Op.String(), "digest": c.Digest.String(),
		"generation": strconv.Itoa(int(c.Generation)), "partition": strconv.Itoa(c.Digest.Partition()), "lut": "",
	}
	if c.LUT > 0 {
		a["lut"] = strconv.FormatInt(c.LUT, 10)
	}
	return a
}

// objects checks that the bucket's objects hold every change, each where it
// belongs.
func (l *ledger) objects(objects []object) error {
	for _, o := range objects {
		for n, line := range slices.Collect(strings.Lines(o.text)) {
			e, err := l.find([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				return fmt.Errorf("object %s, line %d: %w", o.name, n+1, err)
			}
			if folder := fmt.Sprintf("%s/namespace=%s/", prefix, e.change.Namespace); !strings.HasPrefix(o.name, folder) {
				return fmt.Errorf("object %s, line %d: the change belongs under %s", o.name, n+1, folder)
			}
			e.archived = true
		}
	}
	for _, e := range l.entries {
		if !e.archived {
			return fmt.Errorf("a %s of record %s is in no object of the bucket", e.change.Op, e.change.Digest)
		}
	}
	return nil
}

// find returns the entry that data is, to the byte.
func (l *ledger) find(data []byte) (*entry, error) {
	parsed, err := format.Parser{MetadataKey: metadataKey}.Parse(format.MediaJSON, data)
	if err != nil {
		return nil, err
	}
	if len(parsed) != 1 {
		return nil, fmt.Errorf("%d changes where one should be", len(parsed))
	}
	if parsed[0].Err != nil {
		return nil, parsed[0].Err
	}
	got := &parsed[0].Change
	for _, e := range l.of[identify(got)] {
		if l.same(e.change, got.Expiry, data) {
			return e, nil
		}
	}
	return nil, fmt.Errorf("this never went in: %s", data)
}

// same compares a change that went in with the bytes that came out. The expiry
// counts from the receipt, so it is allowed the time that shipping took.
func (l *ledger) same(c change.Change, expiry int64, data []byte) bool {
	late := expiry - c.Expiry
	if late != 0 && (c.Expiry <= 0 || late < 0 || late > int64(l.end.Sub(l.begin)/time.Second)+1) {
		return false
	}
	c.Expiry = expiry
	if c.Op.IsDelete() {
		c.Expiry = 0
	}
	line, err := l.format.Append(nil, &c)
	return err == nil && string(line) == string(data)+"\n"
}
