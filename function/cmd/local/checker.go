package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function/pipeline"
)

// checker checks that the changes that were sent come out, of Pub/Sub and of Cloud Storage.
type checker struct {
	*pipeline.Expected
	shards              int
	published, archived map[*pipeline.Entry]bool
}

func newChecker(frames []xdr.Frame, f format.Format, shards int) (*checker, error) {
	expected, err := pipeline.NewExpected(frames, f)
	return &checker{expected, shards, map[*pipeline.Entry]bool{}, map[*pipeline.Entry]bool{}}, err
}

// missing returns how many changes have not come out of Pub/Sub yet.
func (k *checker) missing() int { return len(k.Entries) - len(k.published) }

// checkMessage checks a message from Pub/Sub.
func (k *checker) checkMessage(m *pubsubpb.PubsubMessage) error {
	e, err := k.Find(m.Data)
	if err == nil {
		err = e.CheckAttributes(m.Attributes)
	}
	if err != nil {
		return fmt.Errorf("message %s from Pub/Sub: %w", m.MessageId, err)
	}
	if want := strconv.Itoa(e.Change.Digest.Partition() % k.shards); m.OrderingKey != want {
		return fmt.Errorf("message %s from Pub/Sub: ordering key %q, want %q", m.MessageId, m.OrderingKey, want)
	}
	k.published[e] = true
	return nil
}

// checkObjects checks that the objects hold every change, each in its folder.
func (k *checker) checkObjects(objects []object) error {
	for _, o := range objects {
		for n, line := range slices.Collect(strings.Lines(o.text)) {
			e, err := k.Find([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				return fmt.Errorf("object %s, line %d: %w", o.name, n+1, err)
			}
			if folder := fmt.Sprintf("%s/namespace=%s/", prefix, e.Change.Namespace); !strings.HasPrefix(o.name, folder) {
				return fmt.Errorf("object %s, line %d: the change belongs in %s", o.name, n+1, folder)
			}
			k.archived[e] = true
		}
	}
	for _, e := range k.Entries {
		if !k.archived[e] {
			return fmt.Errorf("no object in the bucket holds the %s of record %s", e.Change.Op, e.Change.Digest)
		}
	}
	return nil
}
