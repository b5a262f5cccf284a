package connector

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
)

// version returns a write of record 1 with the given LUT, in milliseconds after
// changetest.Receipt. The bin i has the same value.
func version(t *testing.T, lut int64) []byte {
	t.Helper()
	c := change.Change{
		Namespace: "test", Set: "s", Mode: change.Replace, Digest: change.Digest{1}, LUT: changetest.Receipt.UnixMilli() + lut,
		Bins: []change.Bin{{Name: "i", Value: change.IntegerValue(lut)}},
	}
	f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A version that arrives after a newer one, over another connection, is not sent.
func TestOrdering_staleVersion(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ordering *route.Ordering
		want     xdr.Code
		bodies   int
	}{
		{"off", nil, xdr.OK, 3},
		{"ack", &route.Ordering{TTL: time.Hour, AckStale: true}, xdr.OK, 2},
		{"retry", &route.Ordering{TTL: time.Hour}, xdr.Retry, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			pipeline := pipelineTo(e.destination(t, "there"))
			pipeline.Ordering = tt.ordering
			r := start(t, allSets(pipeline), func(c *Config) { c.OrderingBytes = 1 << 20 })
			one, two := r.dial(t), r.dial(t)
			for range 2 { // the same version again is not stale
				one.ship(t, version(t, 20))
				e.respond(20, 200)
				one.wantReplies(t, xdr.OK)
			}
			e.respond(10, 200)
			two.ship(t, version(t, 10))
			two.wantReplies(t, tt.want)
			e.mu.Lock()
			defer e.mu.Unlock()
			if len(e.bodies) != tt.bodies {
				t.Errorf("%d requests, want %d:\n%s", len(e.bodies), tt.bodies, strings.Join(e.bodies, "\n"))
			}
			if got := testutil.ToFloat64(r.server.metrics.stale); int(got) != 3-tt.bodies {
				t.Errorf("%v stale", got)
			}
		})
	}
}

// A version is stale while a newer one is in flight, and stays so if the newer one fails.
func TestOrdering_newerInFlight(t *testing.T) {
	e := newEndpoint(t)
	pipeline := pipelineTo(e.destination(t, "there"))
	pipeline.Ordering = &route.Ordering{TTL: time.Hour}
	r := start(t, allSets(pipeline), func(c *Config) { c.OrderingBytes = 1 << 20 })
	one, two := r.dial(t), r.dial(t)
	one.ship(t, version(t, 20))
	changetest.WaitFor(t, "a request", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.bodies) == 1
	})
	two.ship(t, version(t, 10))
	two.wantReplies(t, xdr.Retry)
	e.respond(20, 503)
	one.wantReplies(t, xdr.Retry)
	one.ship(t, version(t, 20))
	e.respond(20, 200)
	one.wantReplies(t, xdr.OK)
}

// Within the TTL, and below the limit, a claim succeeds only if no newer version was claimed.
func TestOrderingShard_claim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newOrdering(time.Minute, 1<<20)
		now := time.Now()
		begin := now
		type sent struct {
			lut int64
			at  time.Time
		}
		newest := map[byte]sent{}
		for range rapid.IntRange(1, 100).Draw(t, "claims") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			id := rapid.ByteRange(0, 3).Draw(t, "record")
			c := change.Change{Namespace: "test", Digest: change.Digest{id}, LUT: int64(rapid.IntRange(1, 5).Draw(t, "lut"))}
			before, known := newest[id]
			fresh := o.shard(c.Digest).claim(&c, now, o.ttl)
			older := known && c.LUT < before.lut
			if older && now.Sub(before.at) < time.Minute && fresh {
				t.Fatalf("record %d at %s: LUT %d accepted after %d", id, now.Sub(begin), c.LUT, before.lut)
			}
			if !older && !fresh {
				t.Fatalf("record %d at %s: LUT %d is stale, want it accepted", id, now.Sub(begin), c.LUT)
			}
			if fresh {
				newest[id] = sent{c.LUT, now}
			}
		}
	})
}

func TestOrdering_bounded(t *testing.T) {
	const most = 1000
	o := newOrdering(time.Hour, most*recordBytes)
	for i := range 100 * most {
		c := change.Change{Namespace: "test", Digest: change.Digest{byte(i), byte(i >> 8), byte(i >> 16)}, LUT: 1}
		o.shard(c.Digest).claim(&c, time.Now(), o.ttl)
	}
	if n := o.records(); n > most || n < most/4 {
		t.Errorf("%d records known, want %d to %d", n, most/4, most)
	}
}

// A stale update gets a retry even with AckStale: the newer version may not have had the
// bins of the update.
func TestOrdering_staleUpdate(t *testing.T) {
	e := newEndpoint(t)
	pipeline := pipelineTo(e.destination(t, "there"))
	pipeline.Ordering = &route.Ordering{TTL: time.Hour, AckStale: true}
	r := start(t, allSets(pipeline), func(c *Config) { c.OrderingBytes = 1 << 20 })
	n := r.dial(t)
	n.ship(t, version(t, 20))
	e.respond(20, 200)
	n.wantReplies(t, xdr.OK)
	update := change.Change{
		Namespace: "test", Set: "s", Mode: change.Update, Digest: change.Digest{1}, LUT: changetest.Receipt.UnixMilli() + 10,
		Bins: []change.Bin{{Name: "other", Value: change.IntegerValue(1)}},
	}
	f, err := xdr.AppendMessage(nil, &update, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	n.ship(t, f)
	n.wantReplies(t, xdr.Retry)
}
