package pipeline

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Expected has the changes of messages that were played, and finds those that come out.
type Expected struct {
	Entries []*Entry
	Dropped int // monitor records, which the connector drops

	format     format.Format
	begin, end time.Time
	of         map[identity][]*Entry
}

// Entry is a change that went in. Identical messages share an entry.
type Entry struct{ Change change.Change }

// identity identifies a change that a database ships. Constructed messages may have
// the same one.
type identity struct {
	digest     change.Digest
	op         change.Op
	generation uint32
	lut        int64
}

func identify(c *change.Change) identity { return identity{c.Digest, c.Op, c.Generation, c.LUT} }

// NewExpected returns what is expected of frames, which the connector writes in a format: json
// or flat-json.
func NewExpected(frames []xdr.Frame, f format.Format) (*Expected, error) {
	k := &Expected{format: f, begin: time.Now(), of: map[identity][]*Entry{}}
	d := xdr.NewDecoder(xdr.MaxSize, func() time.Time { return k.begin })
	entered := map[string]bool{}
	for i, frame := range frames {
		e := new(Entry)
		if err := d.Decode(frame, &e.Change); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		switch {
		case e.Change.Set == xdr.MonitorSet:
			k.Dropped++
		case !entered[string(frame)]:
			entered[string(frame)] = true
			id := identify(&e.Change)
			k.Entries = append(k.Entries, e)
			k.of[id] = append(k.of[id], e)
		}
	}
	return k, nil
}

// Played records that every message has been replied to.
func (k *Expected) Played() { k.end = time.Now() }

// CheckAttributes checks the attributes of a message with the change.
func (e *Entry) CheckAttributes(attributes map[string]string) error {
	for name, want := range ExpectedAttributes(&e.Change) {
		if got := attributes[name]; got != want {
			return fmt.Errorf("attribute %s is %q, want %q", name, got, want)
		}
	}
	return nil
}

// ExpectedAttributes returns attributes of a message with the change c.
func ExpectedAttributes(c *change.Change) map[string]string {
	a := map[string]string{
		"namespace": c.Namespace, "set": c.Set, "op": c.Op.String(), "digest": c.Digest.String(),
		"generation": strconv.Itoa(int(c.Generation)), "partition": strconv.Itoa(c.Digest.Partition()), "lut": "",
	}
	if c.LUT > 0 {
		a["lut"] = strconv.FormatInt(c.LUT, 10)
	}
	return a
}

// Find returns the entry whose encoding is data.
func (k *Expected) Find(data []byte) (*Entry, error) {
	parsed, err := formats.Parser{MetadataKey: MetadataKey}.Parse(format.MediaJSON, data)
	if err != nil {
		return nil, err
	}
	if len(parsed) != 1 {
		return nil, fmt.Errorf("%s in a message, want 1", cli.Count(len(parsed), "change"))
	}
	if parsed[0].Err != nil {
		return nil, parsed[0].Err
	}
	got := &parsed[0].Change
	for _, e := range k.of[identify(got)] {
		if k.same(e.Change, got.Expiry, data) {
			return e, nil
		}
	}
	return nil, fmt.Errorf("this change did not go in: %s", data)
}

// same reports whether data, which has the given expiry, is the encoding of c. The
// connector computes the expiry from the time of receipt, so it may be later by as long
// as the messages took.
func (k *Expected) same(c change.Change, expiry int64, data []byte) bool {
	late := expiry - c.Expiry
	if late != 0 && (c.Expiry <= 0 || late < 0 || late > int64(k.end.Sub(k.begin)/time.Second)+1) {
		return false
	}
	c.Expiry = expiry
	if c.Op.IsDelete() {
		c.Expiry = 0
	}
	line, err := k.format.Append(nil, &c)
	return err == nil && string(line) == string(data)+"\n"
}
