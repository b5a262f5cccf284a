package aerospike

import (
	"context"
	"crypto/sha256"
	"time"

	"golang.org/x/time/rate"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// records is the sink with mode=records. It applies each change to the record that has the
// same set and digest in the target's namespace.
//
// # Order
//
// An older version must not be applied over a newer one, though changes come in any order,
// several times, and through several processes at once. The target's generation and last
// update time say nothing about it, since a client can set neither. So the version that was
// applied last, the state, is in a record of its own, in the set of versions. A change takes these steps:
//
//  1. read the target's generation and last update time
//  2. write the state, if what is stored there is not newer
//  3. write or delete the target, if it is as it was in step 1; else begin anew
//  4. if step 3 has created the target, read the state; if it was written since step 2,
//     begin anew
//
// If the state is newer in step 2, the change is stale. If it is the same, it passes: that is
// how a repeat finishes what a process has left undone between steps 2 and 3.
//
// Why no older version stays over a newer one: take an older and a newer change of a record,
// both past step 2. The older one was first there, or it would be stale. So it was in step 1
// before the newer one was in step 2, hence before the newer one was in step 3. If the newer
// one is the first in step 3, the older one finds the target changed, begins anew, and is
// stale. If it is the second, it replaces what the older one wrote, or begins anew itself.
//
// Found changed means another generation, or another last update time: generations begin
// anew when a record is deleted and created again. A last update time that is of the very
// millisecond of step 1 could come again, so a target that was just written is read again a
// millisecond later. That leaves a target that is absent in step 1, is created and deleted by
// newer changes, and is absent in step 3: there the older one creates it. Hence step 4, after
// which the change begins anew, is stale in step 2, and since the newest state is a delete,
// deletes the target that it found in step 1 (if it is still the same). A repeat of the
// change does so too, if the process ends before. For a delete of an absent target step 3
// is to read once more that it is absent: what is created later is seen in step 4.
//
// # Updates of some bins
//
// A late update cannot be dropped, since a newer one need not have its bins. So the state
// (applied) also has the version of each bin that was updated after the base, the last
// version with all bins. In step 2 an update is merged with what is stored, which is then
// written if it has not changed; in step 3 only bins without a newer value are written. A
// change of the whole record that comes after newer updates becomes their base, and is merged
// in the same way.
//
// If updates have deleted the last bin, the target is absent though the base is not a delete.
// The state is marked once that is so, since stale changes have to know that what they find
// in the target is not of the base.
//
// # Assumptions
//
// Only sinks with the same set of versions write to the targets, and the clock of a server
// does not go back between steps 1 and 3. A change whose command to create the target had no
// answer is repeated: the server may carry the command out after a newer delete has found the
// target absent.
type records struct {
	config
	recordsConfig
	client  *Client
	filter  stateFilter
	same    *template         // filter: the target's last update time is still the same
	mask    [sha256.Size]byte // of digests in the set of versions
	metrics *metrics
	batches batches
	limiter *rate.Limiter
}

// recordsConfig is what only mode=records has.
type recordsConfig struct {
	versions    string // set of the states; "" does without
	versionsTTL uint32
	update      bool // a write of unknown mode updates
	durable     durability
}

// durability says which deletes leave a tombstone.
type durability uint8

const (
	durableAuto durability = iota // those that did at the source
	durableAlways
	durableNever
)

const (
	defaultVersions = "aerosink-versions"
	noVersions      = "none"
)

func parseRecords(c config, q *sink.Query) sink.Spec {
	c.parse(q, "remaining")
	r := recordsConfig{versions: q.Text("versions", defaultVersions), update: q.Word("write", "replace", "replace", "update") == "update"}
	switch {
	case r.versions == noVersions:
		r.versions = ""
	case r.versions == "" || len(r.versions) > maxSet:
		q.Fail("invalid versions=%s: want the name of a set, or none", r.versions)
	}
	states := parseTTL(q, "versions-ttl", "never")
	if r.versionsTTL = states.fixed; states.kind != ttlFixed {
		q.Fail("invalid versions-ttl: a version does not expire with its record; want never, default, or whole seconds such as 720h")
	}
	r.durable = map[string]durability{"auto": durableAuto, "always": durableAlways, "never": durableNever}[q.Word("durable-delete", "auto", "auto", "always", "never")]
	if c.cluster.Set != "" {
		q.Fail("mode=records keeps the set of each record, since the digest is a hash of set and key: leave out /%s", c.cluster.Set)
	}
	open := func(ctx context.Context) (sink.Sink, error) {
		client, m, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		return &records{
			config: c, recordsConfig: r, client: client, metrics: m, filter: newStateFilter(binNewest, true), same: newSameFilter(), mask: sha256.Sum256([]byte(r.versions)),
			batches: newBatches(c.cluster.Connections), limiter: c.limiter(),
		}, nil
	}
	return sink.Spec{Bins: true, New: open, Probe: c.probe}
}

// Close implements [sink.Sink].
func (s *records) Close() error {
	s.client.Close()
	return nil
}

// Put implements [sink.Sink].
func (s *records) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := s.putContext(ctx)
	defer cancel()
	p := newPut(&s.config, b)
	defer s.metrics.count(p)
	p.run(ctx, s.limiter, s.batches, func(indexes []int) { s.store(ctx, p, indexes) })
	return p.verdicts
}

// store applies changes of different records.
func (s *records) store(ctx context.Context, p *put, indexes []int) {
	defer s.metrics.took(time.Now())
	rows := make([]*row, 0, len(indexes))
	now := time.Now()
	for _, i := range indexes {
		if s.versions == "" && p.isBehind(i) {
			continue
		}
		r, err := s.row(&p.changes[i].Change, now)
		if err != nil {
			p.fail(i, change.Permanent(err))
			continue
		}
		r.index = i
		rows = append(rows, r)
	}
	for n := 0; len(rows) > 0; n++ {
		if n > 0 && !p.pause(ctx, indexesOf(rows), n) {
			return
		}
		a := attempt{records: s, put: p, ctx: ctx}
		a.run(rows)
		rows = a.again
		s.metrics.conflicts.Add(float64(len(rows)))
	}
}

func indexesOf(rows []*row) []int {
	indexes := make([]int, len(rows))
	for n, r := range rows {
		indexes[n] = r.index
	}
	return indexes
}
