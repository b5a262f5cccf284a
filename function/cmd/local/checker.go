package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/xdr"
)

// checker has the changes that were sent, and checks those that come out.
type checker struct {
	format     format.Format
	shards     int
	begin, end time.Time

	entries []*entry
	of      map[identity][]*entry
	missing int // entries that have not come out of Pub/Sub yet
	dropped int // monitor records, which the connector drops
}

// entry is a change that went in. Identical messages share an entry.
type entry struct {
	change    change.Change
	published bool
	archived  bool
}

// identity identifies a change that a database ships. Constructed messages may have
// the same one.
type identity struct {
	digest     change.Digest
	op         change.Op
	generation uint32
	lut        int64
}

func identify(c *change.Change) identity { return identity{c.Digest, c.Op, c.Generation, c.LUT} }

func newChecker(frames []xdr.Frame, f format.Format, shards int) (*checker, error) {
	k := &checker{format: f, shards: shards, begin: time.Now(), of: map[identity][]*entry{}}
	d := xdr.NewDecoder(xdr.MaxSize, func() time.Time { return k.begin })
	entered := map[string]bool{}
	for i, frame := range frames {
		e := new(entry)
		if err := d.Decode(frame, &e.change); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		switch {
		case e.change.Set == xdr.MonitorSet:
			k.dropped++
		case !entered[string(frame)]:
			entered[string(frame)] = true
			id := identify(&e.change)
			k.entries = append(k.entries, e)
			k.of[id] = append(k.of[id], e)
			k.missing++
		}
	}
	return k, nil
}

// played records that every message has been replied to.
func (k *checker) played() { k.end = time.Now() }

// checkMessage checks a message from Pub/Sub.
func (k *checker) checkMessage(m *pubsubpb.PubsubMessage) error {
	e, err := k.find(m.Data)
	if err != nil {
		return fmt.Errorf("message %s from Pub/Sub: %w", m.MessageId, err)
	}
	for name, want := range expectedAttributes(&e.change) {
		if got := m.Attributes[name]; got != want {
			return fmt.Errorf("message %s from Pub/Sub: attribute %s is %q, want %q", m.MessageId, name, got, want)
		}
	}
	if want := strconv.Itoa(e.change.Digest.Partition() % k.shards); m.OrderingKey != want {
		return fmt.Errorf("message %s from Pub/Sub: ordering key %q, want %q", m.MessageId, m.OrderingKey, want)
	}
	if !e.published {
		e.published = true
		k.missing--
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

// checkObjects checks that the objects hold every change, each in its folder.
func (k *checker) checkObjects(objects []object) error {
	for _, o := range objects {
		for n, line := range slices.Collect(strings.Lines(o.text)) {
			e, err := k.find([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				return fmt.Errorf("object %s, line %d: %w", o.name, n+1, err)
			}
			if folder := fmt.Sprintf("%s/namespace=%s/", prefix, e.change.Namespace); !strings.HasPrefix(o.name, folder) {
				return fmt.Errorf("object %s, line %d: the change belongs in %s", o.name, n+1, folder)
			}
			e.archived = true
		}
	}
	for _, e := range k.entries {
		if !e.archived {
			return fmt.Errorf("no object in the bucket holds the %s of record %s", e.change.Op, e.change.Digest)
		}
	}
	return nil
}

// find returns the entry whose encoding is data.
func (k *checker) find(data []byte) (*entry, error) {
	parsed, err := formats.Parser{MetadataKey: metadataKey}.Parse(format.MediaJSON, data)
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
		if k.same(e.change, got.Expiry, data) {
			return e, nil
		}
	}
	return nil, fmt.Errorf("this change did not go in: %s", data)
}

// same reports whether data, which has the given expiry, is the encoding of c. The
// connector computes the expiry from the time of receipt, so it may be later by as long
// as the messages took.
func (k *checker) same(c change.Change, expiry int64, data []byte) bool {
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
