package local

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function/pipeline"
)

// shards is the number of message groups and of partition keys of the default sinks.
const shards = 256

// checker checks that the changes that were sent are in the queue, the stream and the bucket.
type checker struct {
	*pipeline.Expected
}

func newChecker(frames []xdr.Frame, f format.Format) (*checker, error) {
	expected, err := pipeline.NewExpected(frames, f)
	return &checker{expected}, err
}

// check checks that what arrived is what went in.
func (k *checker) check(a arrivals) error {
	if err := checkEach(k, "SQS", a.messages, k.checkMessage); err != nil {
		return err
	}
	if err := checkEach(k, "Kinesis", a.records, k.checkRecord); err != nil {
		return err
	}
	return checkEach(k, "S3", a.objects, k.checkObject)
}

// checkEach checks each of what arrived in a service, and that every change is in one of them.
func checkEach[T any](k *checker, service string, arrived []T, check func(*T) ([]*pipeline.Entry, error)) error {
	found := map[*pipeline.Entry]bool{}
	for i := range arrived {
		entries, err := check(&arrived[i])
		if err != nil {
			return err
		}
		for _, e := range entries {
			found[e] = true
		}
	}
	for _, e := range k.Entries {
		if !found[e] {
			return fmt.Errorf("nothing in %s holds the %s of record %s", service, e.Change.Op, e.Change.Digest)
		}
	}
	return nil
}

// checkMessage checks a message in a queue: its change, its attributes, its group, and that it
// can be told from all others.
func (k *checker) checkMessage(m *message) ([]*pipeline.Entry, error) {
	body, err := bodyOf(m)
	if err != nil {
		return nil, fmt.Errorf("message %s in SQS: %w", m.MessageID, err)
	}
	e, err := k.Find(body)
	if err == nil {
		err = e.CheckAttributes(m.Attributes)
	}
	if err == nil {
		err = errors.Join(checkShard("group", m.Group, "p", &e.Change), checkIdentifier(m.DeduplicationID))
	}
	if err != nil {
		return nil, fmt.Errorf("message %s in SQS: %w", m.MessageID, err)
	}
	return []*pipeline.Entry{e}, nil
}

// bodyOf returns the bytes of a message's body, which may be Base64.
func bodyOf(m *message) ([]byte, error) {
	if m.Attributes["encoding"] == "base64" {
		return base64.StdEncoding.DecodeString(m.Body)
	}
	return []byte(m.Body), nil
}

func checkIdentifier(id string) error {
	if id == "" {
		return errors.New("no deduplication id")
	}
	return nil
}

// checkShard checks what keeps changes of a record in order.
func checkShard(what, got, prefix string, c *change.Change) error {
	if want := prefix + strconv.Itoa(c.Digest.Partition()%shards); got != want {
		return fmt.Errorf("%s %q, want %q", what, got, want)
	}
	return nil
}

// checkRecord checks a record in a stream.
func (k *checker) checkRecord(r *record) ([]*pipeline.Entry, error) {
	e, err := k.Find(r.Data)
	if err == nil {
		err = checkShard("partition key", r.PartitionKey, "", &e.Change)
	}
	if err != nil {
		return nil, fmt.Errorf("record %s in Kinesis: %w", r.SequenceNumber, err)
	}
	return []*pipeline.Entry{e}, nil
}

// checkObject checks that an object has changes of its folder.
func (k *checker) checkObject(o *object) (entries []*pipeline.Entry, err error) {
	for n, line := range slices.Collect(strings.Lines(string(o.Content))) {
		e, err := k.Find([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			return nil, fmt.Errorf("object %s, line %d: %w", o.name(), n+1, err)
		}
		if folder := fmt.Sprintf("changes/namespace=%s/", e.Change.Namespace); !strings.HasPrefix(o.Key, folder) {
			return nil, fmt.Errorf("object %s, line %d: the change belongs in %s", o.name(), n+1, folder)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
